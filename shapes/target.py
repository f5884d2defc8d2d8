"""A target: how one Gateway release speaks, where its resources keep what, what its metrics are called."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from shapes import alert_rules, allow, cool_down, document, endpoints, metric, units
from shapes.alert_rules import AlertRules
from shapes.allow import Allow
from shapes.cool_down import CoolDown
from shapes.document import DocumentError, Node
from shapes.endpoints import Endpoints
from shapes.metric import Metric
from shapes.paths import path_names


@dataclass(frozen=True, slots=True)
class Start:
    """A command that brings the target up and prints its endpoints as one line of JSON."""

    command: str
    ready_timeout_s: float


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """How an answer is read. ``acked`` maps the body's status word to a kind (created, duplicate, aggregated,
    resolved); ``indeterminate`` are status codes behind which a processed request may hide. ``bodiless`` is
    the kind of every alert of a 2xx where answers have no words; empty: they have."""

    acked: Mapping[str, str] = field(default_factory=lambda: {"created": "created", "duplicate": "duplicate"})
    safe: tuple[int, ...] = ()
    indeterminate: tuple[int, ...] = (502, 504)
    bodiless: str = ""


@dataclass(frozen=True, slots=True)
class ResourceRules:
    """Where the RemediationRequests are and where they keep what. Paths are dotted; a name with dots itself
    stands in brackets, like ``metadata.annotations[example.io/name]``. ``payload`` is the alert as it was
    sent, in base64; empty: the release keeps none."""

    group: str = "remediation.kubernaut.io"
    version: str = "v1alpha1"
    plural: str = "remediationrequests"
    annotations: str = "spec.signalAnnotations"
    labels: str = "spec.signalLabels"
    count: str = "spec.deduplication.occurrenceCount"
    aggregated: str = "spec.affectedResources"
    members: str = "spec.stormMembers"
    window: str = "metadata.annotations[kubernaut.io/storm-window-id]"
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One Gateway release as this tool speaks to it. Timeouts in seconds. ``unsupported`` gives, by scenario,
    the reason why it makes no sense against this release; it is then skipped. ``faults_in`` says by which
    of a scenario's lists of faults it is broken: ``faults_in.WORD``; by ``faults`` when it is empty.

    ``token_file`` holds a bearer token that each POST carries. ``undecidable`` gives, by criterion, why
    this release shows nothing to decide it by; it is then UNKNOWN with that reason. ``series`` are
    queries that a Prometheus is asked over the run beside those that ``metrics`` give, by their titles."""

    name: str
    title: str
    start: Start | None
    endpoints: Endpoints
    webhook_path: str
    headers: Mapping[str, str]
    answer_timeout_s: float
    connect_timeout_s: float
    answers: AnswerRules
    resources: ResourceRules
    metrics: Mapping[str, Metric]
    unsupported: Mapping[str, str] = field(default_factory=dict)
    faults_in: str = ""
    token_file: str = ""
    alerts: AlertRules = alert_rules.PLAIN
    undecidable: Mapping[str, str] = field(default_factory=dict)
    allow: Allow = allow.NOTHING_SAID
    cool_down: CoolDown = field(default_factory=CoolDown)
    series: Mapping[str, str] = field(default_factory=dict)


def names(folder: Path) -> list[str]:
    """Return the names of the targets that a folder holds."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find(folder: Path, name: str) -> Target:
    """Return a target by its name, which is its file's.

    Raises:
        DocumentError: if there is none of that name (those that exist are listed), or it cannot be used.
    """
    if name not in names(folder):
        raise DocumentError(
            f"--chaos-target: unknown target {name!r}; {document.unknown(name, names(folder))}"
        )
    return parse(document.load(folder / f"{name}.yaml", f"scenarios/{folder.name}/{name}.yaml"), name)


def load(path: Path) -> Target:
    """Return the target of a file that lies anywhere; it is named by its file.

    Raises:
        DocumentError: if it cannot be used.
    """
    return parse(document.load(path), path.stem)


def parse(root: Node, name: str) -> Target:
    """Return the target that a document describes.

    Raises:
        DocumentError: naming file, path and mend.
    """
    optional = (
        "start",
        "endpoints",
        "webhook_path",
        "headers",
        "timeouts",
        "answers",
        "resources",
        "metrics",
        "unsupported",
        "faults_in",
        "token_file",
        "alerts",
        "undecidable",
        "allow",
        "cool_down",
        "series",
    )
    top = root.fields(required=("title",), optional=optional)
    timeouts = top["timeouts"].fields(optional=("connect", "answer")) if "timeouts" in top else {}
    seconds = {key: node.quantity(units.duration_s) for key, node in timeouts.items()}
    metrics = top["metrics"].entries() if "metrics" in top else {}
    return Target(
        name=name,
        title=top["title"].text(),
        start=_start(top["start"]) if "start" in top else None,
        endpoints=endpoints.parse(top["endpoints"]) if "endpoints" in top else Endpoints(),
        webhook_path=top["webhook_path"].text() if "webhook_path" in top else "/api/v1/signals/prometheus",
        headers=_words(top["headers"]) if "headers" in top else {},
        answer_timeout_s=seconds.get("answer", 10.0),
        connect_timeout_s=seconds.get("connect", 3.0),
        answers=_answers(top["answers"]) if "answers" in top else AnswerRules(),
        resources=_resources(top["resources"]) if "resources" in top else ResourceRules(),
        metrics={key: metric.parse(node) for key, node in metrics.items()},
        unsupported=_words(top["unsupported"]) if "unsupported" in top else {},
        faults_in=top["faults_in"].text() if "faults_in" in top else "",
        token_file=top["token_file"].text() if "token_file" in top else "",
        alerts=alert_rules.parse(top["alerts"]) if "alerts" in top else AlertRules(),
        undecidable=_words(top["undecidable"]) if "undecidable" in top else {},
        allow=allow.parse(top["allow"]) if "allow" in top else allow.NOTHING_SAID,
        cool_down=cool_down.parse(top["cool_down"]) if "cool_down" in top else CoolDown(),
        series=_words(top["series"]) if "series" in top else {},
    )


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine's loopback, by its literal address or as localhost."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_RESOURCE = (
    "group",
    "version",
    "plural",
    "annotations",
    "labels",
    "count",
    "aggregated",
    "window",
    "members",
    "payload",
)
_PATHS = ("annotations", "labels", "count", "aggregated", "window", "members", "payload")


def _start(node: Node) -> Start:
    got = node.fields(required=("command",), optional=("ready_timeout",))
    timeout_s = got["ready_timeout"].quantity(units.duration_s) if "ready_timeout" in got else 15.0
    return Start(got["command"].text(), timeout_s)


def _answers(node: Node) -> AnswerRules:
    got = node.fields(optional=("acked", "safe", "indeterminate"))
    plain = AnswerRules()
    codes = {
        key: tuple(item.whole(least=100) for item in got[key].items())
        for key in ("safe", "indeterminate")
        if key in got
    }
    return AnswerRules(
        acked=_words(got["acked"]) if "acked" in got else plain.acked,
        safe=codes.get("safe", plain.safe),
        indeterminate=codes.get("indeterminate", plain.indeterminate),
    )


def _resources(node: Node) -> ResourceRules:
    got = node.fields(optional=_RESOURCE)
    for key in _PATHS:
        if key in got and not path_names(got[key].text()):
            example = "metadata.annotations[example.io/name]"
            raise got[key].error(f"wanted a path like spec.signalLabels or {example}, got {got[key].value!r}")
    return ResourceRules(**_words(node, _RESOURCE))


def _words(node: Node, known: tuple[str, ...] = ()) -> dict[str, str]:
    got = node.fields(optional=known) if known else node.entries()
    return {key: child.text() for key, child in got.items()}


__all__ = [
    "AnswerRules",
    "DocumentError",
    "Endpoints",
    "Metric",
    "ResourceRules",
    "Start",
    "Target",
    "find",
    "is_loopback",
    "load",
    "names",
    "parse",
    "path_names",
]
