"""Runs of every state, and how tests render and read their reports."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import histories

from reports import writing
from reports.finding import Finding
from reports.history import History
from reports.verdict import Verdict, judge

SCHEMA = json.loads(
    (Path(writing.__file__).parent / "schema" / "verdict-v1.schema.json").read_text(encoding="utf-8")
)
PASS = histories.history()
FAIL = histories.history(16, lost=range(2, 14), rejected_safe=2, rejected_unsafe=1, indeterminate=1, unsent=1)
FEW = histories.history(16, lost=(3, 4))
UNKNOWN = histories.history(injections=(histories.injection(ended=None),))
INVALID = histories.history(injections=(histories.injection(bit=False),))
UNREAD = histories.history(resources=None)
# Those that tell the verdict; the others are the ledger.
VERDICTS = [name for name in writing.format_names() if name not in ("csv", "jsonl")]
ALL = {"pass": PASS, "fail": FAIL, "unknown": UNKNOWN, "invalid": INVALID, "unread": UNREAD}


def render(name: str, told: History) -> str:
    """Return a history's report in one format."""
    return str(writing.load_format(name).render(told, judge(told)))


def the_document(told: History) -> Any:
    """Return what a history's JSON report holds."""
    return json.loads(render("json", told))


def suite_of(told: History) -> ET.Element:
    """Return the test suite of a history's JUnit report."""
    suite = ET.fromstring(render("junit", told).encode()).find("testsuite")
    assert suite is not None
    return suite


def a_verdict(*findings: Finding) -> Verdict:
    """Return a verdict with these findings."""
    return replace(judge(PASS), findings=findings)


class Page(HTMLParser):
    """What a browser would load and run, and the text it would show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)
