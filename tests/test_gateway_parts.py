"""Small parts of the Gateway: its clock, the rate of a storm, waiting entries, and the CRD of a storm."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.gateway import remediation_request as rr
from sandbox.gateway import storm_request
from sandbox.gateway.clock import Clock
from sandbox.gateway.entry import Entry, by_fingerprint
from sandbox.gateway.settings import StormMode, StormSettings
from sandbox.gateway.storm_rate import StormRate
from sandbox.gateway.storm_window import Window, id_of
from sandbox.gateway.webhook import parse_alert

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
KEY = ("prod", "A")


def test_clock(tmp_path: Path) -> None:
    """Wall time plus the offset in the file, which is looked at every 50 ms and read when it has changed."""
    file, monotonic = tmp_path / "clock", [0.0]
    clock = Clock(str(file), wall=lambda: 1000.0, monotonic=lambda: monotonic[0])

    def after(text: str, passed_s: float) -> float:
        new = tmp_path / "new"
        new.write_text(text)
        os.replace(new, file)
        monotonic[0] += passed_s
        return clock.now_s()

    assert clock.now_s() == 1000.0
    assert after("+65.0\n", 0.03125) == 1000.0
    assert after("+65.0\n", 0.03125) == 1065.0
    assert after("-5", 0.0625) == 995.0
    assert after("soon", 0.0625) == 995.0
    assert after("inf", 0.0625) == 995.0
    assert after("", 0.0625) == 1000.0
    assert after("7.5", 0.0625) == 1007.5
    file.unlink()
    monotonic[0] += 0.0625
    assert clock.now_s() == 1000.0
    assert Clock(wall=lambda: 3.0).now_s() == 3.0


def test_rate() -> None:
    """More than two fingerprints of a key within a minute; a repeated one counts once."""
    rate = StormRate(StormSettings(StormMode.THRESHOLD, rate_threshold=2))
    story = [("a", 0), ("b", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 62), ("f", 64.5), ("g", 64.9)]
    found = [rate.is_storm(KEY, fingerprint, at_s) for fingerprint, at_s in story]
    assert found == [False, False, False, True, True, True, False, True]
    assert not rate.is_storm(("other", "A"), "a", 65)


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 30)), max_size=60))
def test_rate_is_like_a_count_of_all(story: list[tuple[str, int]]) -> None:
    """What is forgotten makes no difference: it is the number of fingerprints first seen within 60 s."""
    rate = StormRate(StormSettings(StormMode.THRESHOLD, rate_threshold=3))
    first_seen: dict[str, float] = {}
    now_s = 0.0
    for fingerprint, passed_s in story:
        now_s += passed_s
        first_seen = {name: at_s for name, at_s in first_seen.items() if at_s > now_s - 60}
        first_seen.setdefault(fingerprint, now_s)
        assert rate.is_storm(KEY, fingerprint, now_s) == (len(first_seen) > 3)


def entry(number: int, *, pod: str = "") -> Entry:
    raw = {
        "labels": {"alertname": "A", "namespace": "prod", "pod": pod or f"p{number}", "severity": "info"},
        "annotations": {"id": str(number)},
    }
    alert = parse_alert(raw)
    return Entry(f"id{number}", alert, 1000.0 + number, alert.fingerprint)


def test_entry_as_text() -> None:
    """It comes back whole; what is none is refused."""
    assert Entry.from_text(entry(1).to_text()) == entry(1)
    for text in ("", "[]", "{}", '{"id": "1", "received": 1, "alert": {}}'):
        with pytest.raises(ValueError):
            Entry.from_text(text)


def test_groups() -> None:
    """One for each fingerprint, in the order of their first entries."""
    entries = [entry(1), entry(2), entry(3, pod="p1")]
    assert [[each.id for each in group] for group in by_fingerprint(entries)] == [["id1", "id3"], ["id2"]]


def test_request_of_a_storm() -> None:
    """Members in order, each with its count; the sum is the occurrenceCount. The window can be read back."""
    entries = [entry(1), entry(2), entry(3, pod="p1")]
    window_id = id_of(KEY, entries[0])
    assert window_id == "prod:A-1001-id1"
    name = storm_request.name_of(window_id)
    window = Window(window_id, KEY, name, ends_s=1061.5)
    request = storm_request.body_of(window, entries, 60.0, "ns", NOW)
    assert storm_request.window_of(request) == window
    later = storm_request.with_entries(request, [entry(4), entry(5, pod="p2"), entry(6, pod="p4")], NOW, "w")
    spec = later["spec"]
    assert spec["affectedResources"] == ["prod:Pod:p1", "prod:Pod:p2", "prod:Pod:p4"]
    assert [member["occurrenceCount"] for member in spec["stormMembers"]] == [2, 2, 2]
    assert (spec["stormAlertCount"], rr.count_of(later)) == (3, 6)
    assert rr.written_by(later, "w")
    assert storm_request.with_entries(later, [entry(4), entry(1)], NOW, "w")["spec"] == spec  # arrived before
    again = rr.counted(later, NOW, "x", fingerprint=entry(2).fingerprint, by=3)
    assert (rr.count_of(again), rr.count_of(again, entry(2).fingerprint)) == (9, 5)
    assert [member["signalAnnotations"]["id"] for member in spec["stormMembers"]] == ["1", "2", "4"]


def test_a_request_that_is_no_storm_has_no_window() -> None:
    """Whatever it lacks."""
    request = rr.body_of(entry(1).alert, "rr-1", "ns", NOW, "w")
    assert storm_request.window_of(request) is None
    assert storm_request.fingerprints_of(request) == []
