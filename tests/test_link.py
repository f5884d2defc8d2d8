"""Commands over messages that are lost, doubled and mixed up; and clocks compared over them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_hooks.link import RESEND_S, WINDOW, Link, Packet
from chaos_hooks.peer_clock import DRIFT, Estimate, PeerClock


def test_what_is_not_acknowledged_goes_out_again_and_is_obeyed_once() -> None:
    """At once, then after 0.3 s; the second arrival changes nothing."""
    here, there = Link(), Link()
    here.send("stop", {"run": "r"})
    first = here.due(0.0)
    second = here.due(RESEND_S)

    assert first == second == [Packet(1, "stop", {"run": "r"})]
    assert here.due(RESEND_S) == []
    assert [there.receive(packet) for packet in first + second] == [first, []]
    here.acknowledged(there.upto)
    assert here.idle
    assert here.due(9.0) == []


def test_an_early_command_waits_for_the_one_before() -> None:
    """Order is kept."""
    there = Link()

    assert there.receive(Packet(2, "b", None)) == []
    assert there.upto == 0
    assert there.receive(Packet(1, "a", None)) == [Packet(1, "a", None), Packet(2, "b", None)]
    assert there.upto == 2


def test_no_more_than_a_window_is_under_way() -> None:
    """What a peer that does not read is sent stays bounded."""
    here = Link()
    for n in range(WINDOW + 5):
        here.send("n", n)

    assert len(here.due(0.0)) == WINDOW
    here.acknowledged(3)
    assert [packet.data for packet in here.due(0.1)] == [WINDOW, WINDOW + 1, WINDOW + 2]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 40), st.lists(st.integers(0, 9), max_size=60))
def test_whatever_is_lost_everything_arrives_once_and_in_order(count: int, fates: list[int]) -> None:
    """A fate of 0 loses a message, 1 doubles it, 2 loses the acknowledgement, 3 turns the order round."""
    here, there = Link(), Link()
    for n in range(count):
        here.send("n", n)
    got: list[int] = []
    now_s = 0.0
    while not here.idle:
        packets = here.due(now_s)
        fate = fates.pop() if fates else 9
        for packet in reversed(packets) if fate == 3 else packets:
            lost = (fates.pop() if fates else 9) == 0
            for _ in range(0 if lost else 2 if fate == 1 else 1):
                got += [ready.data for ready in there.receive(packet)]
        if fate != 2:
            here.acknowledged(there.upto)
        now_s += RESEND_S

    assert got == list(range(count))


def test_the_quickest_answer_tells_the_offset() -> None:
    """Half its round trip is the error."""
    clock = PeerClock()
    clock.add(10.0, 110.2, 10.8)
    clock.add(11.0, 111.005, 11.01)
    clock.add(12.0, 112.0, 14.0)

    assert clock.estimate(11.01) == Estimate(11.005 - 111.005, 0.0049999999999998934)
    assert PeerClock().estimate(0.0) is None


def test_an_old_sample_is_worth_less_than_a_new_one() -> None:
    """Clocks drift apart."""
    clock = PeerClock()
    clock.add(0.0, 100.0, 0.002)
    clock.add(1000.0, 1100.01, 1000.02)
    estimate = clock.estimate(1000.02)

    assert estimate
    assert estimate.error_s < 1000 * DRIFT
    assert abs(estimate.offset_s + 100.0) < 1e-9


@given(
    st.floats(-1e3, 1e3), st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)), min_size=1, max_size=20)
)
def test_the_true_offset_is_within_the_error(offset_s: float, ways: list[tuple[float, float]]) -> None:
    """Whatever the ways there and back take."""
    clock, now_s = PeerClock(), 0.0
    for there_s, back_s in ways:
        clock.add(now_s, now_s + there_s - offset_s, now_s + there_s + back_s)
        now_s += there_s + back_s + 0.01
    estimate = clock.estimate(now_s)

    assert estimate
    assert abs(estimate.offset_s - offset_s) <= estimate.error_s + 1e-9
