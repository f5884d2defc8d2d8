"""volley_spread: the duplicates went out at one instant; what is not known never passes."""

from __future__ import annotations

import histories
import pytest

from reports.criteria import volley_spread
from reports.finding import Status
from reports.history import Attempt, History, Outcome, PhaseSpan, Try

PHASES = (PhaseSpan("baseline", 0.0, 2.0), PhaseSpan("volley", 2.0, 7.0, "duplicates"))


def told(*attempts: Attempt, phases: tuple[PhaseSpan, ...] = PHASES) -> History:
    """Return a history of one alert before the volley and these."""
    all_of_them = (histories.attempt(0), *attempts)
    run = histories.run(planned=len(all_of_them), phases=phases)
    return History(run, all_of_them)


def of_volley(sent_s: float, number: int = 1, **changes: object) -> Attempt:
    """Return a member of a volley that is due at 2 s."""
    return histories.attempt(
        number, subject=0, due_s=2.0, begun_s=2.0, sent_s=sent_s, volley=1, kind="duplicate", **changes
    )


def test_the_spread_is_from_the_first_release_to_the_last() -> None:
    found = volley_spread.check(told(of_volley(2.0100), of_volley(2.0125, 2), of_volley(2.0110, 3)))

    assert found.status is Status.PASS
    assert found.numbers["max_spread_s"] == pytest.approx(0.0025)
    assert found.got == "1 released, the widest within 2.500 ms"


def test_a_wide_spread_is_undecided_for_it_is_the_generators_own() -> None:
    found = volley_spread.check(told(of_volley(2.010), of_volley(2.017, 2)), within_s=0.005)

    assert (found.status, found.wanted) == (Status.UNKNOWN, "every volley released within 5 ms")
    assert "free core" in found.mend


def test_what_was_sent_again_does_not_widen_it() -> None:
    """The first tries are the volley's; the others have times of their own."""
    first = Try(Outcome.REJECTED, "safe", 2.0, 2.011, 2.02, 503)
    second = Try(Outcome.ACKED, "duplicate", 2.7, 2.701, 2.72, 202)
    again = of_volley(2.701, 2, tries=2, each=(first, second))

    found = volley_spread.check(told(of_volley(2.010), again))

    assert (found.status, found.numbers) == (Status.PASS, {"max_spread_s": pytest.approx(0.001)})


def test_an_aborted_volley_is_undecided() -> None:
    error = "connect: volley aborted: 9 of 10 connected (Connection refused)"
    aborted = [
        Attempt(n, 0, "volley", 2.0, Outcome.UNSENT, "connect", 2.0, done_s=2.1, detail=error, volley=1)
        for n in (1, 2)
    ]

    found = volley_spread.check(told(*aborted))

    assert (found.status, found.got) == (Status.UNKNOWN, f"1 of 1 aborted: {error}")


@pytest.mark.parametrize("phases", [PHASES, PHASES[:1]])
def test_an_absent_volley_is_undecided(phases: tuple[PhaseSpan, ...]) -> None:
    """Planned and never begun, or never planned."""
    found = volley_spread.check(told(phases=phases))

    assert found.status is Status.UNKNOWN
    assert found.got == f"0 of {len(phases) - 1} volleys were begun"


def test_one_of_two_volleys_is_not_enough() -> None:
    """The spread of the other is not known."""
    more = (*PHASES, PhaseSpan("volley", 7.0, 9.0, "duplicates"))

    assert (
        volley_spread.check(told(of_volley(2.01), of_volley(2.01, 2), phases=more)).status is Status.UNKNOWN
    )
