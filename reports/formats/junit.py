"""The verdict for CI: one suite a run, one case a criterion; what is undecided is an error, never green."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from reports.finding import Finding, Status, unknown
from reports.history import History
from reports.presentation import accounting_lines, fault_asked, fault_bit, fault_seen, lost_ids, reproduce
from reports.verdict import Verdict

FILE = "junit.xml"
# What XML 1.0 (section 2.2, Char) has no way to write down, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(history: History, verdict: Verdict) -> str:
    """Return the document, in the order that the JUnit schema of Ant and Jenkins wants."""
    cases = [_case(history, finding, name) for finding, name in _named(verdict)]
    if not cases:
        # An empty suite is green in every importer.
        cases = [_case(history, unknown("a criterion", verdict.sentence, 0, "ask for one"), "verdict")]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
    }
    time = f"{_length_s(history):.3f}"
    name = f"alertstorm.{history.run.scenario}"
    root = ET.Element("testsuites", _clean({"name": "alertstorm", **counts, "time": time}))
    suite = ET.SubElement(root, "testsuite", _clean({"name": name, **counts, "skipped": "0", "time": time}))
    started = _timestamp(history.run.started_at)
    if started:
        suite.set("timestamp", started)
    properties = ET.SubElement(suite, "properties")
    for what, value in _properties(history, verdict):
        ET.SubElement(properties, "property", _clean({"name": what, "value": value}))
    suite.extend(cases)
    _text(suite, "system-out", "\n".join(_evidence(history, verdict)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _named(verdict: Verdict) -> list[tuple[Finding, str]]:
    counts = Counter(finding.criterion for finding in verdict.findings)
    return [
        # CI follows a case by its name, so it is the criterion's, unless a scenario asks it twice.
        (f, f.criterion if counts[f.criterion] == 1 else f"{f.criterion}: {f.wanted}")
        for f in verdict.findings
    ]


def _case(history: History, finding: Finding, name: str) -> ET.Element:
    attributes = {"name": name, "classname": f"alertstorm.{history.run.scenario}", "time": "0.000"}
    case = ET.Element("testcase", _clean(attributes))
    details = [f"wanted: {finding.wanted}", f"got: {finding.got}", f"samples: {finding.samples}"]
    details += [f"mend: {finding.mend}"] if finding.mend else []
    details += finding.examples
    if finding.status is Status.PASS:
        _text(case, "system-out", "\n".join(details))
        return case
    # A criterion without which the run proves nothing makes it INVALID, unless its failure is proof.
    proof = finding.status is Status.FAIL and (finding.conclusive or not finding.assumption)
    kind = "FAIL" if proof else "INVALID" if finding.assumption else "UNKNOWN"
    element = _text(case, "failure" if proof else "error", "\n".join(details))
    element.attrib.update(_clean({"type": kind, "message": f"wanted {finding.wanted}; got {finding.got}"}))
    return case


def _properties(history: History, verdict: Verdict) -> list[tuple[str, str]]:
    run = history.run
    pairs = [
        ("state", verdict.state.value),
        ("sentence", verdict.sentence),
        ("run_id", run.run_id),
        ("scenario", run.scenario),
        ("pace", run.pace),
        ("target", run.target),
        ("started_at", run.started_at),
    ]
    if verdict.loss_bound is not None:
        pairs.append(("loss_bound", repr(verdict.loss_bound)))
    return [*pairs, *reproduce(history)]


def _evidence(history: History, verdict: Verdict) -> list[str]:
    lines = [verdict.sentence, *accounting_lines(history, verdict)]
    for i in history.injections:
        lines.append(
            f"fault {i.name} ({i.injector}): asked {fault_asked(i)}; {fault_seen(i)}; bit: {fault_bit(i)}"
        )
        lines += [f"  {line}" for line in i.evidence]
    ids = lost_ids(history, verdict)
    return [*lines, *(f"lost {each}" for each in ids)]


def _length_s(history: History) -> float:
    ends = [p.end_s for p in history.run.phases]
    ends += [a.done_s for a in history.attempts if a.done_s is not None]
    return max(ends, default=0.0)


def _timestamp(started_at: str) -> str:
    """Return the start as the schema has it, without a zone; in UTC."""
    try:
        started = datetime.fromisoformat(started_at)
    except ValueError:
        return ""
    if started.tzinfo is not None:
        started = started.astimezone(UTC)
    return started.strftime("%Y-%m-%dT%H:%M:%S")


def _text(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = _FORBIDDEN.sub("", text)
    return element


def _clean(attributes: dict[str, str]) -> dict[str, str]:
    return {key: _FORBIDDEN.sub("", value) for key, value in attributes.items()}
