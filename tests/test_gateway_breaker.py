"""The circuit breaker of the Gateway: a table of stories, and random stories against a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.gateway.breaker import CircuitBreaker, Permit, Policy, State
from sandbox.gateway.defective_breaker import DefectiveBreaker
from sandbox.gateway.defects import Defects

POLICY = Policy()


def tell(breaker: CircuitBreaker, story: str) -> list[str]:
    """The state after each word (moment:ok, :fail or :cancel) of a story; "refused" where no call was let."""
    states = []
    for word in story.split():
        moment, what = word.split(":")
        permit = breaker.acquire(float(moment))
        if permit is None:
            states.append(f"{breaker.state.name} refused")
            continue
        if what == "cancel":
            breaker.cancel(permit)
        else:
            (breaker.succeed if what == "ok" else breaker.fail)(permit, float(moment))
        states.append(breaker.state.name)
    return states


@pytest.mark.parametrize(
    ("story", "last_state"),
    [
        ("0:fail 1:fail", "CLOSED"),
        ("0:fail 1:fail 2:fail", "OPEN"),
        ("0:fail 0:fail 0:ok 0:fail 0:fail", "CLOSED"),  # not in a row, and too few calls for a ratio
        ("0:fail 0:fail 0:ok 0:fail 0:fail 0:ok 0:ok 0:ok 0:ok 0:fail", "OPEN"),  # 5 of 10
        ("0:ok 0:ok 0:ok 0:ok 0:ok 0:ok 0:fail 0:fail 0:ok 0:fail", "CLOSED"),  # 3 of 10
        (
            "0:fail 0:fail 0:ok 0:fail 0:fail 9:ok 9:ok 9:ok 10:ok 10:fail",
            "CLOSED",
        ),  # the first 5 are 10 s old
        ("0:fail 0:fail 0:fail 0.9:ok", "OPEN refused"),
        ("0:fail 0:fail 0:fail 1:ok", "HALF_OPEN"),
        ("0:fail 0:fail 0:fail 1:ok 1:ok", "CLOSED"),
        ("0:fail 0:fail 0:fail 1:ok 1:fail", "OPEN"),
        ("0:fail 0:fail 0:fail 1:fail 1.9:ok", "OPEN refused"),  # open for 1 s again from the failed trial
        ("0:fail 0:fail 0:fail 1:fail 2:ok 2:ok", "CLOSED"),
        ("0:fail 0:fail 0:fail 1:cancel 1:ok 1:ok", "CLOSED"),  # a cancelled trial makes room for the next
        ("0:fail 0:fail 0:fail 1:ok 1:ok 1:fail 1:fail", "CLOSED"),  # a closed breaker remembers nothing
    ],
)
def test_stories(story: str, last_state: str) -> None:
    """Three failures in a row or half of ten calls within 10 s open it; two trials after 1 s close it."""
    assert tell(CircuitBreaker(POLICY), story)[-1] == last_state


def test_one_trial_at_a_time_and_late_results_are_ignored() -> None:
    """A half-open breaker lets one call through; what was let through before it opened counts no more."""
    changes: list[tuple[State, State]] = []
    breaker = CircuitBreaker(POLICY, lambda old, new: changes.append((old, new)))
    early = breaker.acquire(0)
    tell(breaker, "0:fail 0:fail 0:fail")
    trial = breaker.acquire(1)
    assert early
    assert trial
    assert breaker.acquire(1) is None
    breaker.fail(early, 1)
    breaker.succeed(early, 1)
    breaker.cancel(early)
    assert breaker.state is State.HALF_OPEN
    assert breaker.acquire(1) is None
    breaker.succeed(trial, 1)
    assert breaker.acquire(1) is not None
    assert changes == [(State.CLOSED, State.OPEN), (State.OPEN, State.HALF_OPEN)]


class Model:
    """The rule written down naively: worked out again each time from the calls since the last change."""

    def __init__(self) -> None:
        self.state, self.since_s, self.period = State.CLOSED, 0.0, 0
        self.results: list[tuple[float, bool]] = []  # (moment, failed)
        self.trial_is_out = False

    def enter(self, state: State, now_s: float) -> None:
        self.state, self.since_s, self.period = state, now_s, self.period + 1
        self.results, self.trial_is_out = [], False

    def acquire(self, now_s: float) -> int | None:
        if self.state is State.OPEN and now_s - self.since_s >= 1:
            self.enter(State.HALF_OPEN, now_s)
        if self.state is State.OPEN or self.trial_is_out:
            return None
        self.trial_is_out = self.state is State.HALF_OPEN
        return self.period

    def report(self, period: int, now_s: float, result: str) -> None:
        if period != self.period:
            return
        self.trial_is_out = False
        if result == "cancel":
            return
        self.results.append((now_s, result == "fail"))
        recent = [failed for moment_s, failed in self.results if now_s - moment_s < 10]
        all_results = [failed for _, failed in self.results]
        if self.state is State.HALF_OPEN:
            if result == "fail":
                self.enter(State.OPEN, now_s)
            elif len(all_results) == 2:
                self.enter(State.CLOSED, now_s)
        elif result == "fail" and (
            (len(all_results) >= 3 and all(all_results[-3:]))
            or (len(recent) >= 10 and 2 * sum(recent) >= len(recent))
        ):
            self.enter(State.OPEN, now_s)


# Quarters of a second are exact in binary, so that the model and the breaker cannot differ by rounding.
STEP = st.tuples(st.integers(0, 8), st.sampled_from(["acquire", "ok", "fail", "cancel"]), st.integers(0, 3))


@given(st.lists(STEP, max_size=120))
def test_like_the_model(steps: list[tuple[int, str, int]]) -> None:
    """Whatever the order of permits and results, late and cancelled ones too, the rule is kept."""
    breaker, model = CircuitBreaker(POLICY), Model()
    out: list[tuple[Permit, int]] = []
    now_s = 0.0
    for quarters, what, which in steps:
        now_s += quarters / 4
        if what == "acquire" or not out:
            permit, expected = breaker.acquire(now_s), model.acquire(now_s)
            assert (permit is None) == (expected is None)
            if permit is not None and expected is not None:
                out.append((permit, expected))
        else:
            permit, period = out.pop(which % len(out))
            if what == "cancel":
                breaker.cancel(permit)
            else:
                (breaker.succeed if what == "ok" else breaker.fail)(permit, now_s)
            model.report(period, now_s, what)
        assert breaker.state is model.state


def defective(**planted: float) -> DefectiveBreaker:
    """A breaker with defects, whose names are written with _ for -."""
    names = {name.replace("_", "-"): value for name, value in planted.items()}
    return DefectiveBreaker(POLICY, lambda old, new: None, Defects(names))


@pytest.mark.parametrize(
    ("breaker", "story", "last_state"),
    [
        (defective(), "0:fail 0:fail 0:fail", "OPEN"),
        (defective(), "0:fail 0:fail 0:fail 1:ok 1:ok", "CLOSED"),
        (defective(breaker_never_opens=0), "0:fail 0:fail 0:fail 9:fail", "CLOSED"),
        (defective(breaker_opens_late=7), "0:fail 0:fail 0:fail 6.9:fail", "CLOSED"),
        (defective(breaker_opens_late=7), "0:fail 0:fail 0:fail 7:fail", "OPEN"),
        (defective(breaker_opens_late=7), "0:fail 1:ok 2:fail 2:fail 8.9:fail", "CLOSED"),
        (defective(breaker_never_closes=0), "0:fail 0:fail 0:fail 1:ok 1:ok 2:ok", "HALF_OPEN"),
        (defective(recovery_late=5), "0:fail 0:fail 0:fail 1:ok 1:ok 5.9:ok", "HALF_OPEN"),
        (defective(recovery_late=5), "0:fail 0:fail 0:fail 1:ok 1:ok 6:ok", "CLOSED"),
        (defective(breaker_flaps=0), " ".join(9 * ["0:ok"]), "CLOSED"),
        (defective(breaker_flaps=0), " ".join(10 * ["0:ok"]), "OPEN"),
        (defective(breaker_open_but_calls_go=0), "0:fail 0:fail 0:fail 0.5:ok 0.5:ok", "OPEN"),
        (defective(breaker_open_but_calls_go=0), "0:fail 0:fail 0:fail 1:ok 1:ok", "CLOSED"),
    ],
)
def test_planted_defects(breaker: DefectiveBreaker, story: str, last_state: str) -> None:
    """Each defect breaks its own rule, and without one the breaker is as good as its parent."""
    assert tell(breaker, story)[-1] == last_state


@pytest.mark.parametrize(
    ("defect", "story"),
    [
        ("recovery_late", "0:fail 0:fail 0:fail 1:ok 1:ok"),
        ("breaker_flaps", " ".join(10 * ["0:ok"])),
        ("breaker_open_but_calls_go", "0:fail 0:fail 0:fail 0.5:fail"),
    ],
)
def test_planted_defects_are_counted(defect: str, story: str) -> None:
    """Once for each time that the rule was broken."""
    bitten: list[str] = []
    name = defect.replace("_", "-")
    defects = Defects({name: 5.0}, bitten.append)
    tell(DefectiveBreaker(POLICY, lambda old, new: None, defects), story)
    assert bitten == [name]
