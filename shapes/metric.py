"""A metric of a Gateway release: what it is called, and how its numbers are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shapes.document import Node


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its exposed name and the labels its series must carry; ``states`` maps words to values.

    ``absent`` is the state that a release means when it does not show the series at all, in an answer that
    is good otherwise; empty: then nothing is known.

    ``by`` names a label by whose values it is told apart, too: ``redis_errors`` by ``error`` is read as
    ``redis_errors`` (the sum) and ``redis_errors.timeout`` and so on. By ``le``, a histogram's cumulative
    buckets, there is no sum, and the bounds are written shortest: ``k8s_backoff.1``, ``k8s_backoff.inf``.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, float] = field(default_factory=dict)
    by: str = ""
    absent: str = ""


def parse(node: Node) -> Metric:
    """Return the metric that a node describes.

    Raises:
        DocumentError: naming file, path and mend.
    """
    got = node.fields(required=("name",), optional=("labels", "states", "by", "absent"))
    if "states" in got and "by" in got:
        raise got["by"].error("states cannot be told apart by a label; name the label's value in labels")
    states = got["states"].entries() if "states" in got else {}
    return Metric(
        name=got["name"].text(),
        labels={key: child.text() for key, child in got["labels"].entries().items()}
        if "labels" in got
        else {},
        states={word: float(child.whole()) for word, child in states.items()},
        by=got["by"].text() if "by" in got else "",
        absent=got["absent"].one_of(states) if "absent" in got else "",
    )
