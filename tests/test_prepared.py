"""Spliced bodies are the bodies: byte for byte what the slow way gives, of every alert there may be.

All of it is run with what was compiled of `shapes/_splice.c`, and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_hooks.clock import RunClock
from shapes import alerts, prepared
from shapes.alert_rules import AlertRules
from shapes.alerts import Naming, Planned
from shapes.phase import AlertRecipe
from shapes.prepared import Prepared
from shapes.wall import Wall

NAMING = Naming("0123abcd")
OWN = AlertRules(own_names=True, object_label="deployment", id_annotation="example.io/id")
NAMINGS = [NAMING, Naming("0123abcd", OWN), Naming("0123abcd", OWN, frozenset([AlertRecipe().family]))]
WORDS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=12
)
RECIPES = st.builds(AlertRecipe, name=WORDS, namespace=WORDS, severity=WORDS) | st.just(AlertRecipe())
NUMBERS = st.integers(0, 2000) | st.integers(0, 10**9) | st.integers(10**17, 10**20)


ZERO_US = 1_772_366_400_000_000


@pytest.fixture(params=["Python", "compiled"], autouse=True, scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run all of this in both ways."""
    if request.param == "compiled" and prepared._SPLICE is None:
        pytest.skip("shapes/_splice.c is not compiled")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "Python":
            patch.setattr(prepared, "_SPLICE", None)
        yield


def told(at_s: float) -> str:
    """A time that is as long as its number is."""
    return f"<{at_s}>"


def same(at_s: float) -> str:
    """A time that is as long as a real one."""
    return f"{at_s:<27.9f}"[:27]


WALLS = st.sampled_from([told, same, Wall(ZERO_US)])


@st.composite
def batches(draw: st.DrawFn) -> list[Planned]:
    """Alerts of one POST: mostly of one recipe, some repeating others' labels, some resolved."""
    usual, numbers = draw(RECIPES), draw(st.lists(NUMBERS, min_size=1, max_size=5, unique=True))
    got = []
    for number in numbers:
        subject = draw(st.just(number) | st.just(number) | NUMBERS | st.just(7))
        fired = draw(st.none() | st.none() | st.none() | st.just(0.5))
        recipe = draw(st.just(usual) | st.just(usual) | RECIPES)
        unusable = draw(st.sampled_from([False, False, False, True]))
        at_s = draw(st.floats(0, 1e4))
        got.append(Planned(number, subject, "chaos", at_s, recipe, fired_s=fired, unusable=unusable))
    return got


@settings(max_examples=250, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=3), st.sampled_from(NAMINGS), WALLS)
def test_spliced_is_the_same_bytes(
    several: list[list[Planned]], naming: Naming, wall: Callable[[float], str]
) -> None:
    made = Prepared(naming, wall)
    for batch in several:
        assert made.body(batch) == alerts.body(naming, batch, wall)


def plain(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def traced(body: bytes) -> bytes:
    """An envelope that is another one for each body."""
    return b"trace: %b\r\n" % body[-40:] + plain(body)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(batches(), min_size=1, max_size=5),
    st.sampled_from(NAMINGS),
    st.sampled_from([plain, traced, lambda body: body]),
    WALLS,
)
def test_a_request_is_the_envelope_of_the_body(
    several: list[list[Planned]],
    naming: Naming,
    envelope: Callable[[bytes], bytes],
    wall: Callable[[float], str],
) -> None:
    """Also where the body's length is another than the template's, or the envelope is never the same."""
    expected = [envelope(alerts.body(naming, batch, wall)) for batch in several]
    assert Prepared(naming, wall, envelope).requests(several) == expected


@pytest.mark.parametrize("wall", [told, same, Wall(ZERO_US)])
@pytest.mark.parametrize("naming", NAMINGS)
def test_a_row_of_neighbours_is_spliced_right(naming: Naming, wall: Callable[[float], str]) -> None:
    """Ids and fingerprints of a row are made together: none is another one's, up to ids that are longer."""
    numbers = [*range(95, 125), *range(9_999_995, 10_000_005), 7, 101]
    posts = [[Planned(n, n, "", n / 7)] for n in numbers]
    expected = [plain(alerts.body(naming, post, wall)) for post in posts]
    assert Prepared(naming, wall, plain).requests(posts) == expected


def test_several_recipes_in_turn_and_no_post_at_all() -> None:
    """Each is filled as its own, whichever came first."""
    recipes = [AlertRecipe(), AlertRecipe("OOMKilled"), AlertRecipe(), AlertRecipe(namespace="ä")]
    posts = [[Planned(n, n, "", n / 7, recipes[n % 4])] for n in range(12)]
    posts += [[Planned(n, n, "", 1.0, recipes[n % 4]) for n in (k, k + 4, k + 8)] for k in range(4)]
    made = Prepared(NAMING, Wall(ZERO_US), plain)
    assert made.requests([]) == []
    assert made.requests(iter(posts)) == [plain(alerts.body(NAMING, post, Wall(ZERO_US))) for post in posts]


def test_a_percent_sign_and_a_sentinel_of_its_own_do_no_harm() -> None:
    """A name may hold what the templates are made with."""
    recipe = AlertRecipe("100 %b of %s", "2000-01-01T01:02:03.456789Z", "chaos-0123abcd-1234572")
    for batch in ([Planned(1, 1, "", 1.0, recipe)], [Planned(n, n, "", 1.0, recipe) for n in range(3)]):
        assert Prepared(NAMING, told).body(batch) == alerts.body(NAMING, batch, told)


@given(st.floats(-1, 1e6))
def test_a_time_is_written_to_the_microsecond(at_s: float) -> None:
    """Whichever was written before; the same time always gives the same text."""
    clock = RunClock()
    zero = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=clock.rfc3339.zero_us)
    expected = zero + timedelta(microseconds=round(at_s * 1e6))
    for at in (at_s, 0.0, at_s):
        text = clock.rfc3339(at)
    assert text == expected.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
