"""What the JUnit reports share: suites with a case for each finding, and what XML cannot write left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from reports.finding import Finding, Status

# What XML 1.0 (section 2.2, Char) has no way to write down, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(suites: Sequence[ET.Element], time_s: float) -> str:
    """Return the whole document, with the sums over its suites."""
    counts = {key: str(sum(int(s.get(key, "0")) for s in suites)) for key in ("tests", "failures", "errors")}
    root = ET.Element("testsuites", {"name": "alertstorm", **counts, "time": f"{time_s:.3f}"})
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def suite(
    name: str,
    cases: Sequence[ET.Element],
    *,
    time_s: float,
    started_at: str,
    properties: Iterable[tuple[str, str]],
    evidence: Iterable[str],
) -> ET.Element:
    """Return a suite in the order that the JUnit schema of Ant and Jenkins wants."""
    tags = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {key: str(sum(case.find(tag) is not None for case in cases)) for key, tag in tags.items()}
    attributes = {"name": name, "tests": str(len(cases)), **counts, "time": f"{time_s:.3f}"}
    element = ET.Element("testsuite", _clean(attributes))
    started = _timestamp(started_at)
    if started:
        element.set("timestamp", started)
    listed = ET.SubElement(element, "properties")
    for what, value in properties:
        ET.SubElement(listed, "property", _clean({"name": what, "value": value}))
    element.extend(cases)
    _text(element, "system-out", "\n".join(evidence))
    return element


def cases_of(findings: Sequence[Finding], classname: str) -> list[ET.Element]:
    """Return a case for each finding."""
    counts = Counter(finding.criterion for finding in findings)
    return [
        # CI follows a case by its name, so it is the criterion's, unless a scenario asks it twice.
        case(f, f.criterion if counts[f.criterion] == 1 else f"{f.criterion}: {f.wanted}", classname)
        for f in findings
    ]


def case(finding: Finding, name: str, classname: str) -> ET.Element:
    """Return a case: passed, a failure where there is proof, else an error: never green."""
    element = empty_case(name, classname)
    details = [f"wanted: {finding.wanted}", f"got: {finding.got}", f"samples: {finding.samples}"]
    details += [f"mend: {finding.mend}"] if finding.mend else []
    details += finding.examples
    if finding.status is Status.PASS:
        _text(element, "system-out", "\n".join(details))
        return element
    # A criterion without which the run proves nothing makes it INVALID, unless its failure is proof.
    proof = finding.status is Status.FAIL and (finding.conclusive or not finding.assumption)
    kind = "FAIL" if proof else "INVALID" if finding.assumption else "UNKNOWN"
    told = _text(element, "failure" if proof else "error", "\n".join(details))
    told.attrib.update(_clean({"type": kind, "message": f"wanted {finding.wanted}; got {finding.got}"}))
    return element


def empty_case(name: str, classname: str) -> ET.Element:
    """Return a case with nothing in it."""
    return ET.Element("testcase", _clean({"name": name, "classname": classname, "time": "0.000"}))


def tell(parent: ET.Element, tag: str, message: str, kind: str = "") -> None:
    """Add an error, or that it was skipped, to a case."""
    element = _text(parent, tag, message)
    element.attrib.update(_clean({**({"type": kind} if kind else {}), "message": message}))


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
