"""Report formats: each says of the same verdict the same, whatever stands in the record."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import histories
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered import (
    ALL,
    FAIL,
    FEW,
    PASS,
    SCHEMA,
    UNREAD,
    VERDICTS,
    Page,
    render,
    the_document,
)

from reports import writing
from reports.finding import Status
from reports.history import Asked, History
from reports.offenders import stories
from reports.presentation import accounting_lines, facts, plain
from reports.verdict import State, judge


@pytest.mark.parametrize(
    ("name", "state"),
    [("pass", State.PASS), ("fail", State.FAIL), ("unknown", State.UNKNOWN), ("invalid", State.INVALID)],
)
def test_the_histories_are_what_they_are_called(name: str, state: State) -> None:
    """The reports below are looked at for each of the four states."""
    assert judge(ALL[name]).state is state


def test_every_criterion_passes_the_plain_history() -> None:
    """A test that breaks one thing in it sees what that one thing does."""
    assert {(f.criterion, f.status) for f in judge(PASS).findings} == {
        (name, Status.PASS) for name in [a.criterion for a in histories.EVERY]
    } | {("fault_bit", Status.PASS), ("load_on_time", Status.PASS), ("ledger_whole", Status.PASS)}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("format_name", VERDICTS)
def test_a_report_is_a_function_of_its_history(format_name: str, name: str) -> None:
    """Rendered twice, the same bytes; and the sentence stands in every one of them."""
    once = render(format_name, ALL[name])
    assert once == render(format_name, ALL[name])
    assert judge(ALL[name]).sentence.partition(" ")[0].strip(":,") in once


def test_the_four_facts_of_a_pass() -> None:
    """Lost with its bound, breaker and recovery as intervals with their limits, and what the run rests on."""
    assert [(f.label, f.value, f.note, f.status) for f in facts(PASS, judge(PASS))] == [
        ("Lost", "0 of 3", "acknowledged alerts; at most 63.16% at 95 %", "PASS"),
        ("Breaker opened", "in [0.15 s, 0.41 s]", "of 5 s allowed", "PASS"),
        ("Recovered", "in [0.75 s, 1.01 s]", "of 30 s allowed", "PASS"),
        (
            "Trust",
            "5 of 5 hold",
            "✓ fault bit, ✓ generator on time, ✓ ledger whole, ✓ metrics continuous, ✓ truth read stable",
            "PASS",
        ),
    ]


def test_a_fact_that_was_not_asked_for_claims_nothing() -> None:
    """A scenario without a breaker has no breaker to report on."""
    told = histories.history(promises=(Asked("zero_loss", {}),))
    assert [(f.value, f.status) for f in facts(told, judge(told))][1:3] == [
        ("not asked", ""),
        ("not asked", ""),
    ]


def test_a_breaker_that_never_opened_has_no_interval() -> None:
    """Infinity is not a time: it says for how long nobody saw it open."""
    shut = tuple(replace(o, values={"breaker.redis": 0.0}) for o in histories.observations())
    told = histories.history(promises=(Asked("breaker_opens", {"within_s": 5.0}),), observations=shut)
    fact = facts(told, judge(told))[1]
    assert (fact.value, fact.note, fact.status) == ("not seen", "for 7.75 s, of 5 s allowed", "FAIL")


def test_unread_resources_are_not_lost_alerts() -> None:
    """With no truth to compare with, no report names a lost alert, and the JSON says null."""
    verdict = judge(UNREAD)
    assert facts(UNREAD, verdict)[0].value == "not known"
    assert (
        accounting_lines(UNREAD, verdict)[-1]
        == "3 acked = not known: the RemediationRequests were never read"
    )
    assert stories(UNREAD, verdict) == []
    document = the_document(UNREAD)["account"]
    assert (document["lost"], document["lost_ids"], document["created"]) == (None, None, None)
    for name in VERDICTS:
        assert "3 lost" not in render(name, UNREAD)
        assert "k3x9-000000" not in render(name, UNREAD)


def test_the_sums_are_shown() -> None:
    """planned = sent + unsent; sent = acked + rejected + indeterminate; acked = where they ended."""
    assert accounting_lines(FAIL, judge(FAIL)) == [
        "21 planned = 20 sent + 1 unsent",
        "20 sent = 16 acked + 3 rejected + 1 indeterminate",
        "16 acked = 4 created + 0 deduplicated + 0 aggregated + 0 resolved + 12 lost",
    ]


def test_a_lost_alert_has_its_story() -> None:
    """When it was due, what it was answered, and which fault was on at that time."""
    first = stories(FEW, judge(FEW))[1]
    assert (first.alert_id, first.lines) == (
        "k3x9-0000004",
        (
            (
                "request",
                "POST due at 2.500 s in phase chaos, sent at 2.502 s, pod label chaos-k3x9-0000004",
            ),
            ("answer", "201 created at 2.520 s, 20 ms after it was due"),
            ("fault then", "redis-down, on for 0.52 s"),
            ("CRD", "none carries its id or its labels"),
        ),
    )


def test_plain_text_shows_what_would_hide() -> None:
    """A foreign answer can neither move the terminal's cursor nor turn the direction of reading."""
    assert plain("a\r\nb\x1b[2J\u202ec\ud800 é") == "a b\\x1b[2J\\u202ec\\ud800 é"


def test_text_of_a_failure() -> None:
    """Sentence, failed first with five examples, mend under UNKNOWN, the sums."""
    told = histories.history(
        16,
        lost=range(2, 9),
        promises=(Asked("recovery", {"within_s": 30.0}), Asked("zero_loss", {})),
        injections=(histories.injection(ended=None),),
    )
    lines = render("text", told).splitlines()
    gone = "in no RemediationRequest"
    assert lines[0] == "FAIL: 7 of 16 acknowledged alerts lost. Convicted by zero_loss."
    assert lines[3:12] == [
        "FAIL     zero_loss     0 acknowledged alerts lost            7 of 16 lost",
        f"         k3x9-0000002: due 1.250 s (baseline), answered 201 created at 1.270 s, {gone}",
        f"         k3x9-0000003: due 1.875 s (baseline), answered 201 created at 1.895 s, {gone}",
        f"         k3x9-0000004: due 2.500 s (chaos), answered 201 created at 2.520 s, {gone}",
        f"         k3x9-0000005: due 3.125 s (chaos), answered 201 created at 3.145 s, {gone}",
        f"         k3x9-0000006: due 3.750 s (chaos), answered 201 created at 3.770 s, {gone}",
        "         and 2 more: see verdict.json",
        "UNKNOWN  recovery      normal again within 30 s after the    the fault was never healed",
        "                       fault is healed",
    ]
    assert lines[12].startswith("         mend: see fault_bit")
    assert "16 planned = 16 sent + 0 unsent; 16 sent = 16 acked" in render("text", told)


def test_text_has_no_control_characters() -> None:
    """Nothing in a target's answer reaches the terminal as a command."""
    told = histories.history(injections=(histories.injection(bit=False, error="\x1b[31mred\x07"),))
    assert re.search(r"[^\n\x20-\x7e]", render("text", told)) is None


def hostile(text: str) -> History:
    told = histories.history(
        4,
        lost=(1,),
        rejected_unsafe=1,
        injections=(histories.injection(name=text, bit=False, error=text, evidence=(text,)),),
        run_changes={"title": text, "target": text, "command": text, "versions": {text: text}},
        ended_detail=text,
        damage=(text,),
    )
    return replace(told, attempts=tuple(replace(a, detail=text) for a in told.attempts))


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=60) | st.sampled_from(["</script><script>x", "]]>", "<!--<script"]))
def test_no_text_breaks_a_report(text: str) -> None:
    """XML stays well-formed, HTML has no script but its own three, JSON keeps its schema, UTF-8 takes all."""
    told = hostile(text)
    verdict = judge(told)
    ET.fromstring(writing.load_format("junit").render(told, verdict).encode())
    page = writing.load_format("html").render(told, verdict)
    assert page.encode().lower().count(b"<script") == 3
    assert Page(page).tags.count("script") == 3
    jsonschema.validate(json.loads(writing.load_format("json").render(told, verdict)), SCHEMA)
    writing.load_format("markdown").render(told, verdict).encode()
    shown = writing.load_format("text").render(told, verdict)
    assert all(line.isprintable() for line in shown.split("\n"))


def test_the_chart_gets_its_data_unbroken() -> None:
    """What the page embeds is JSON, also when a name tries to end the script."""
    page = render("html", hostile("</script><b>&"))
    found = re.search(r'<script type="application/json" id="chart-data">(.*?)</script>', page, re.S)
    assert found is not None
    assert json.loads(found[1])["bands"][0]["name"] == "</script><b>&"
