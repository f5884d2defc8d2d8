"""When a notification is tried again: measured on a real Alertmanager, here without a clock."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapes import backoff
from shapes.backoff import Notification, Policy, Reply

FOR_EVER_S = 1e9


def tries(
    notification: Notification, replies: list[Reply], took_s: float, begun_s: float = 0.0
) -> list[float]:
    """Return when the tries begin that get these replies, each after ``took_s``, the next one after them."""
    begins = [begun_s]
    for got in replies:
        at_s = notification.again_s(begins[-1], begins[-1] + took_s, got)
        if at_s is None:
            return begins
        begins.append(at_s)
    return begins


@pytest.mark.parametrize(
    ("status", "got"),
    [
        (200, Reply.TAKEN),
        (207, Reply.TAKEN),
        (302, Reply.REFUSED),
        (400, Reply.REFUSED),
        (429, Reply.REFUSED),
        (500, Reply.FAILED),
        (503, Reply.FAILED),
        (None, Reply.FAILED),
    ],
)
def test_an_answer_is_taken_as_alertmanager_does(status: int | None, got: Reply) -> None:
    """No answer is as good as a 5xx; a 4xx waits."""
    assert backoff.reply(status) is got


def test_what_is_taken_is_never_sent_again() -> None:
    """Not even the rest of a 207."""
    assert Notification(Policy(300.0, FOR_EVER_S, 1), 0, 0.0).again_s(0.0, 0.1, Reply.TAKEN) is None


def test_what_is_refused_is_tried_once_a_flush() -> None:
    """As measured: 0, 15, 30, 45."""
    notification = Notification(Policy(15.0, FOR_EVER_S, 1), 0, 0.0)

    assert tries(notification, [Reply.REFUSED] * 3, 0.1) == [0.0, 15.0, 30.0, 45.0]


def test_what_fails_is_tried_as_often_as_measured() -> None:
    """Within 15 s the recorded Alertmanager tried 8 times; jitter moves that by a few."""
    counts = []
    for number in range(50):
        begins = tries(Notification(Policy(15.0, FOR_EVER_S, 1), number, 0.0), [Reply.FAILED] * 20, 0.0)
        counts.append(sum(at_s < 15.0 for at_s in begins))
        assert 15.0 in begins

    assert 6 <= min(counts) <= 8 <= max(counts) <= 11


@given(
    replies=st.lists(st.sampled_from([Reply.FAILED, Reply.REFUSED]), min_size=1, max_size=40),
    took_s=st.sampled_from([0.0, 0.01, 1.0, 9.0, 40.0]),
    interval_s=st.sampled_from([0.3, 1.0, 15.0, 300.0]),
    first_s=st.integers(0, 100).map(lambda tenths: tenths / 10),
    number=st.integers(0, 5),
)
def test_every_schedule_keeps_the_rules(
    replies: list[Reply], took_s: float, interval_s: float, first_s: float, number: int
) -> None:
    """One try at a time; a refusal waits for a flush; a backoff keeps its jitter and begins anew at each."""
    policy = Policy(interval_s, FOR_EVER_S, 7)
    begins = tries(Notification(policy, number, first_s), replies, took_s, first_s)
    step, flush = 0, 0

    assert len(begins) == len(replies) + 1
    for (was_s, is_s), got in zip(itertools.pairwise(begins), replies, strict=True):
        ends_s = first_s + (flush + 1) * interval_s
        middle_s = min(backoff.MAX_S, backoff.INITIAL_S * backoff.MULTIPLIER**step)
        assert is_s >= was_s + took_s
        assert is_s > was_s
        if is_s < ends_s:
            assert got is Reply.FAILED
            waited = pytest.approx(took_s) if is_s == was_s + took_s else is_s - was_s
            assert waited == pytest.approx(took_s) or 0.5 * middle_s <= waited <= 1.5 * middle_s + 1e-9
            step += 1
        else:
            assert is_s == max(ends_s, was_s + took_s)
            step = 0
            while first_s + (flush + 1) * interval_s <= is_s:
                flush += 1
    assert begins == tries(Notification(policy, number, first_s), replies, took_s, first_s)


def test_each_notification_has_a_jitter_of_its_own() -> None:
    """Else a thousand of them would come back at one instant."""
    policy = Policy(300.0, FOR_EVER_S, 1)
    seconds = {Notification(policy, number, 0.0).again_s(0.0, 0.0, Reply.FAILED) for number in range(20)}

    assert len(seconds) == 20


@given(ends_s=st.floats(0, 60), got=st.sampled_from([Reply.FAILED, Reply.REFUSED]))
def test_nothing_is_tried_after_the_end(ends_s: float, got: Reply) -> None:
    """The load's end and its grace are known beforehand."""
    begins = tries(Notification(Policy(10.0, ends_s, 1), 0, 0.0), [got] * 100, 0.05)

    assert len(begins) < 101
    assert all(at_s <= ends_s for at_s in begins[1:])
