"""What was compiled of `shapes/_splice.c` is used, writes what Python writes, and leaks nothing."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shapes import alerts, prepared
from shapes.alert_rules import AlertRules
from shapes.alerts import Naming, Planned
from shapes.phase import AlertRecipe
from shapes.prepared import Prepared
from shapes.wall import Wall

needs_it = pytest.mark.skipif(prepared._SPLICE is None, reason="shapes/_splice.c is not compiled")
NAMING = Naming("0123abcd")
OWN = Naming("0123abcd", AlertRules(own_names=True, object_label="deployment", id_annotation="example.io/id"))
RECIPE = AlertRecipe()
ZERO_US = 1_772_366_400_000_000
MOST_US = 253_402_300_800_000_000  # The year 10000.
# Number, time and fingerprint, and nothing else.
BARE = {
    "text": bytes(50),
    "digits": (0,),
    "times": (7,),
    "prints": (34,),
    "hashed": (b"a", b"b"),
    "lowest": 0,
    "width": 7,
}


def plain(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def posts(numbers: range, recipe: AlertRecipe = RECIPE) -> list[list[Planned]]:
    return [[Planned(n, n, "", n % 1000 / 7, recipe)] for n in numbers]


def bare(**other: Any) -> Any:
    """A template of the bare parts, some of them others."""
    assert prepared._SPLICE
    return prepared._SPLICE(**{**BARE, **other})


def time_of(zero_us: int, at_s: Any) -> str | None:
    """Return how a time is written."""
    (text,) = bare().requests([[Planned(1, 1, "", at_s, RECIPE)]], RECIPE, zero_us)
    return None if text is None else text[7:34].decode()


@needs_it
@pytest.mark.parametrize("naming", [NAMING, OWN])
@pytest.mark.parametrize("width", [7, 8, 9, 12, 18])
def test_plain_alerts_never_come_to_python(
    naming: Naming, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the width of their numbers, alone in a POST or not."""
    made = Prepared(naming, Wall(ZERO_US), plain)
    alone = posts(range(10**width - 30, 10**width))
    together = [[alert for (alert,) in alone]]
    expected = [plain(alerts.body(naming, post, Wall(ZERO_US))) for post in [*alone, *together]]
    made.requests(alone[:1])
    monkeypatch.setattr(prepared._Template, "filled", None)
    monkeypatch.setattr(alerts, "entry", None)
    assert made.requests(alone) + made.requests(together) == expected


@needs_it
@settings(max_examples=3000, deadline=None)
@given(
    st.integers(0, MOST_US) | st.just(ZERO_US),
    st.floats(-1e10, 1e10)
    | st.floats(-10, 1e4)
    | st.integers(-(10**17), 10**17).map(lambda halves: halves / 2e6)
    | st.integers(-100_000, 100_000).map(lambda days: days * 86400.0 - 1e-6),
)
@example(ZERO_US, 0.5e-6)
@example(ZERO_US, 1.5e-6)
@example(ZERO_US, 2.5e-6)
@example(ZERO_US, -0.5e-6)
@example(ZERO_US, -1.5e-6)
@example(ZERO_US, 0.9999996)
@example(ZERO_US, 1e9)
@example(0, -1e-6)
@example(0, -0.4e-6)
@example(MOST_US, -1e-6)
@example(MOST_US, 0.0)
def test_a_time_is_written_as_python_writes_it(zero_us: int, at_s: float) -> None:
    """To the microsecond, a half to the even one; what is before 1970 or after 9999 is left to it."""
    at_us = zero_us + round(at_s * 1e6)
    expected = Wall(zero_us)(at_s) if 0 <= at_us < MOST_US else None
    assert time_of(zero_us, at_s) == expected


@needs_it
def test_each_day_has_its_date() -> None:
    """Leap years, centuries and all, on both sides of midnight; one template, whichever it wrote before."""
    days = range(1, MOST_US // 86_400_000_000, 29)
    batch = [[Planned(1, 1, "", s, RECIPE)] for day in days for s in (day * 86400.0 - 1, day * 86400.0)]
    texts = bare().requests(batch, RECIPE, 0)
    for (alert,), text in zip(batch, texts, strict=True):
        at = datetime.fromtimestamp(alert.due_s, UTC)
        assert text[7:34].decode() == f"{at:%Y-%m-%dT%H:%M:%S.000000Z}"


@needs_it
@pytest.mark.parametrize("at_s", [float("nan"), float("inf"), -float("inf"), 1e300, 4e11, 5, None])
def test_what_is_no_time_is_left_to_python(at_s: Any) -> None:
    """Whole numbers too: nobody plans with them."""
    assert time_of(ZERO_US, at_s) is None


@needs_it
@pytest.mark.parametrize("zero_us", [2**70, -(2**70), 2**62, -(2**62), MOST_US, -1])
def test_a_wall_clock_that_shows_no_such_year_is_left_to_python(zero_us: int) -> None:
    assert time_of(zero_us, 0.0) is None


@needs_it
@pytest.mark.parametrize(
    "alert",
    [
        Planned(1, 2, "", 1.0, RECIPE),
        Planned(1, 1, "", 1.0, AlertRecipe()),
        Planned(1, 1, "", 1.0, RECIPE, fired_s=0.5),
        Planned(1, 1, "", 1.0, RECIPE, unusable=True),
        Planned(-1, -1, "", 1.0, RECIPE),
        Planned(10**7, 10**7, "", 1.0, RECIPE),
        Planned(2**64, 2**64, "", 1.0, RECIPE),
        Planned(2**64, -1, "", 1.0, RECIPE),
        Planned(2**64, 2**65, "", 1.0, RECIPE),
        Planned(True, True, "", 1.0, RECIPE),
        Planned(1.0, 1, "", 1.0, RECIPE),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_plain_is_left_to_python(alert: Planned) -> None:
    """Alone, and among plain ones."""
    other = Planned(3, 3, "", 1.0, RECIPE)
    texts = bare().requests([[alert], [other], (other,), [other, other], []], RECIPE, ZERO_US)
    assert [text is None for text in texts] == [True, False, False, True, True]
    assert bare().entries([other, alert], RECIPE, ZERO_US) is None
    assert bare().entries([], RECIPE, ZERO_US) is None


@needs_it
@pytest.mark.parametrize(
    "asked",
    [
        lambda: bare().requests([[(1, 1)]], RECIPE, 0),
        lambda: bare().requests([[list(posts(range(1))[0][0])]], RECIPE, 0),
        lambda: bare().entries([None], RECIPE, 0),
        lambda: bare().requests(None, RECIPE, 0),
        lambda: bare().requests([], RECIPE),
        lambda: bare().requests(posts(range(1)), RECIPE, "12:00"),
        lambda: bare().requests(posts(range(1)), RECIPE, lambda at_s: b"12:00"),
        lambda: bare().entries(posts(range(3))[0], RECIPE, lambda at_s: None),
        lambda: bare(text="a"),
        lambda: bare(digits=[0]),
        lambda: bare(times=("a",)),
        lambda: bare(hashed=(b"a", "b")),
        lambda: bare(lowest=None),
        lambda: prepared._SPLICE and prepared._SPLICE(),  # type: ignore[call-arg]
    ],
)
def test_a_wrong_type_is_told(asked: Any) -> None:
    with pytest.raises(TypeError):
        asked()


@needs_it
@pytest.mark.parametrize(
    "wrong",
    [
        {"digits": (44,)},
        {"times": (24,)},
        {"prints": (-1,)},
        {"text": b""},
        {"hashed": ()},
        {"width": 0},
        {"width": 19},
        {"lowest": -1},
        {"digits": (0, 2**63 - 1)},
    ],
)
def test_parts_that_would_stand_outside_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        bare(**wrong)


@needs_it
def test_a_wall_that_takes_the_alerts_away_does_no_harm() -> None:
    """It is any Python, and may change the lists that are just read."""
    several = posts(range(50))

    def wall(at_s: float) -> str:
        for post in several:
            post.clear()
        several.clear()
        return "x" * 27

    texts = bare().requests(several, RECIPE, wall)
    assert [text is None for text in texts] == [False] + [True] * 49
    assert not several


@needs_it
def test_what_a_wall_raises_is_raised() -> None:
    def wall(at_s: float) -> str:
        raise OSError("no clock")

    with pytest.raises(OSError, match="no clock"):
        Prepared(NAMING, wall).requests(posts(range(3)))
    with pytest.raises(OSError, match="no clock"):
        bare().entries(posts(range(1))[0], RECIPE, wall)


@needs_it
def test_nothing_leaks() -> None:
    """Neither what was filled nor what fills it, whether it ends well or not; nothing else is held."""
    several, wall, wrong = posts(range(48)), Wall(ZERO_US), [None]
    held = [RECIPE, wall, several, several[0], several[0][0], wrong]
    wide = [Planned(n, n, "", 0.0, RECIPE) for n in (1, 10**8)]

    def use_all(times: int) -> None:
        for _ in range(times):
            template = bare()
            template.requests(several, RECIPE, ZERO_US)
            template.requests([*several, []], RECIPE, wall)
            template.entries(several[0] * 9, RECIPE, ZERO_US)
            template.entries(wide, RECIPE, ZERO_US)
            for method, asked in ((template.requests, [*several, wrong]), (template.entries, wrong)):
                with pytest.raises(TypeError):
                    method(asked, RECIPE, ZERO_US)
            with pytest.raises(TypeError):
                bare(hashed=(b"a", "b"))
            with pytest.raises(ValueError):
                bare(prints=(0, 50))

    use_all(50)
    counts = [sys.getrefcount(each) for each in held]
    tracemalloc.start()
    try:
        use_all(50)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        use_all(500)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert [sys.getrefcount(each) for each in held] == counts


def test_both_sources_speak_of_the_same_version() -> None:
    assert f"#define API {prepared._API} " in Path(prepared.__file__).with_name("_splice.c").read_text()
