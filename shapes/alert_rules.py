"""How a release wants its alerts, so that each is one of its own and plain load is not taken for a storm."""

from __future__ import annotations

from dataclasses import dataclass

from shapes.document import Node

# What a Gateway may put together, with colons, into the sha256 that it takes for the identity of an alert.
PARTS = ("alertname", "namespace", "kind", "name")
# A label's name, and the kind of the object that it names, where that is not just capitalised.
_KINDS = {"statefulset": "StatefulSet", "daemonset": "DaemonSet"}


@dataclass(frozen=True, slots=True)
class AlertRules:
    """``object_label`` names the alert's target object, which its identity rests on; ``own_names`` gives each
    alert an alertname of its own, save for the families that a scenario sends as a storm; ``id_annotation``
    carries the id of the first alert with these labels, for a release that goes by that.

    ``fingerprint`` are the parts (see `PARTS`) of the identity that the release answers with; none: it is the
    one that was sent.
    """

    object_label: str = "pod"
    own_names: bool = False
    id_annotation: str = ""
    fingerprint: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Return the kind of the target objects."""
        return _KINDS.get(self.object_label, self.object_label.capitalize())


PLAIN = AlertRules()


def parse(node: Node) -> AlertRules:
    """Return the rules that a target file has.

    Raises:
        DocumentError: naming file, path and mend.
    """
    got = node.fields(optional=("object_label", "own_names", "id_annotation", "fingerprint"))
    parts = tuple(item.one_of(PARTS) for item in got["fingerprint"].items()) if "fingerprint" in got else ()
    return AlertRules(
        object_label=got["object_label"].text() if "object_label" in got else "pod",
        own_names="own_names" in got and got["own_names"].one_of(("True", "False")) == "True",
        id_annotation=got["id_annotation"].text() if "id_annotation" in got else "",
        fingerprint=parts,
    )
