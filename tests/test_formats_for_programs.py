"""JSON as its schema says, and JUnit that no importer can show greener than it is."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import histories
import jsonschema
import pytest
from rendered import (
    ALL,
    FAIL,
    INVALID,
    PASS,
    SCHEMA,
    UNKNOWN,
    a_verdict,
    render,
    suite_of,
    the_document,
)

from reports import writing
from reports.finding import Finding, Status
from reports.history import Asked, Outcome
from reports.interval import Interval


@pytest.mark.parametrize("name", ALL)
def test_json_is_as_its_schema_says(name: str) -> None:
    """Valid against the published schema, which forbids whatever it does not name."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(the_document(ALL[name]), SCHEMA, jsonschema.Draft202012Validator)


def test_the_schema_forbids_what_it_does_not_name() -> None:
    """A schema that takes anything would prove nothing."""
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate({**the_document(PASS), "surprise": 1}, SCHEMA)
    closed = [part for part in SCHEMA["$defs"].values() if part.get("additionalProperties") is False]
    assert len(closed) == len(SCHEMA["$defs"])


def test_json_has_the_whole_account() -> None:
    """All numbers, and the lost by their ids."""
    document = the_document(FAIL)
    assert (document["schema"], document["state"], document["exit_code"]) == (
        "alertstorm/verdict/v1",
        "FAIL",
        1,
    )
    assert document["account"] == {
        "planned": 21,
        "sent": 20,
        "unsent": 1,
        "acked": 16,
        "rejected": 3,
        "rejected_safe": 2,
        "rejected_unsafe": 1,
        "indeterminate": 1,
        "created": 4,
        "deduplicated": 0,
        "aggregated": 0,
        "resolved": 0,
        "lost": 12,
        "lost_ids": [f"k3x9-{n:07d}" for n in range(2, 14)],
        "recovered_ids": [],
        "duplicates": [],
        "unexpected": [],
        "adds_up": True,
    }


def test_json_has_no_infinity() -> None:
    """JSON knows no infinite number: null."""
    finding = Finding(Status.FAIL, "w", "g", 1, numbers={"latest_s": math.inf, "limit_s": 5.0, "n": math.nan})
    told = histories.history(injections=(histories.injection(ended=Interval(5.0, math.inf)),))
    document = json.loads(
        writing.load_format("json").render(told, a_verdict(finding)), parse_constant=pytest.fail
    )
    assert document["findings"][0]["numbers"] == {"latest_s": None, "limit_s": 5.0, "n": None}
    assert document["injections"][0]["ended"] == {"earliest_s": 5.0, "latest_s": None}
    jsonschema.validate(document, SCHEMA)


def test_json_times_the_phases() -> None:
    """Latency from the due time by phase; alerts that were never begun are in none."""
    told = histories.history()
    never = histories.attempt(
        3, Outcome.UNSENT, kind="stopped", phase="", due_s=0.0, begun_s=None, done_s=None
    )
    timings = the_document(replace(told, attempts=(*told.attempts, never)))["timings"]
    assert [p["name"] for p in timings["phases"]] == ["baseline", "chaos", "recovery"]
    assert timings["phases"][0]["latency_s"] == {
        "samples": 1,
        "p50": 0.02,
        "p95": 0.02,
        "p99": 0.02,
        "max": 0.02,
    }
    assert timings["latency_s"]["samples"] == 3


@pytest.mark.parametrize(
    ("name", "failures", "errors"), [("pass", 0, 0), ("fail", 2, 0), ("unknown", 0, 1), ("invalid", 0, 1)]
)
def test_junit_counts(name: str, failures: int, errors: int) -> None:
    """One case a criterion; tests, failures and errors are the numbers of those elements."""
    suite = suite_of(ALL[name])
    assert (suite.get("failures"), suite.get("errors")) == (str(failures), str(errors))
    assert (len(suite.findall(".//failure")), len(suite.findall(".//error"))) == (failures, errors)
    assert suite.get("tests") == str(len(suite.findall("testcase"))) == "12"
    assert suite.findall(".//skipped") == []


def test_junit_tells_undecided_from_invalid() -> None:
    """Both are errors, so that no importer shows them green; their type says which."""
    assert [(c.get("name"), e.get("type")) for c in suite_of(UNKNOWN) for e in c.findall("error")] == [
        ("recovery", "UNKNOWN")
    ]
    assert [(c.get("name"), e.get("type")) for c in suite_of(INVALID) for e in c.findall("error")] == [
        ("fault_bit", "INVALID")
    ]


def test_junit_is_in_the_order_of_its_schema() -> None:
    """Properties, cases, system-out; and the attributes that the schema of Ant and Jenkins requires."""
    for told in ALL.values():
        root = ET.fromstring(render("junit", told).encode())
        suite = suite_of(told)
        assert root.tag == "testsuites"
        assert [child.tag for child in suite] == ["properties", *["testcase"] * 12, "system-out"]
        assert {"name", "tests", "failures", "errors", "time", "timestamp"} <= set(suite.keys())
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp") or "")
        assert suite.get("time") == "10.000"
        for case in suite.findall("testcase"):
            assert {"name", "classname", "time"} <= set(case.keys())
            assert len(list(case)) == 1
        names = [case.get("name") for case in suite.findall("testcase")]
        assert len(names) == len(set(names))


def test_junit_names_a_criterion_asked_twice_apart() -> None:
    """Two cases of one name would be one to an importer."""
    told = histories.history(
        promises=(
            Asked("recovery", {"within_s": 30.0}),
            Asked("recovery", {"within_s": 30.0, "after": "injected"}),
        )
    )
    names = [case.get("name") for case in suite_of(told).findall("testcase")]
    assert len(set(names)) == len(names) == 5


def test_junit_of_no_findings_is_no_green_suite() -> None:
    """An empty suite is green in every importer."""
    text = writing.load_format("junit").render(PASS, a_verdict())
    suite = ET.fromstring(text).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_junit_holds_the_evidence() -> None:
    """The sums, the faults, and every lost id."""
    text = suite_of(FAIL).findtext("system-out") or ""
    assert "16 acked = 4 created" in text
    assert "PING of 127.0.0.1:6379 refused at 2.05 s" in text
    assert text.count("lost k3x9-") == 12
