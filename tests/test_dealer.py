"""The leases of a distributed load: who may begin what, and that nobody begins anything twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from shapes import load, ranges, slices
from shapes.alerts import Planned
from shapes.dealer import AHEAD_S, Dealer, Lease, State
from shapes.phase import AlertRecipe, Phase
from shapes.scenario import Scenario
from shapes.slices import Slice

PER_S = 8


def scenario(*phases: Phase, alert: AlertRecipe | None = None) -> Scenario:
    """Return a scenario of these phases that asks for nothing."""
    return Scenario("x", "X", "sandbox", "quick", 0, alert or AlertRecipe(), phases, 0.0, (), ())


def piece(begins_s: float, *posts: list[int]) -> Slice:
    """Return a slice of POSTs, each of some numbers."""
    return Slice(
        begins_s,
        tuple(tuple(Planned(n, n, "p", begins_s + k / 10) for n in of) for k, of in enumerate(posts)),
    )


def shares(leases: list[Lease]) -> dict[str, list[int]]:
    """Return who got which numbers."""
    return {lease.worker: [alert.number for alert in lease.alerts] for lease in leases}


def test_a_slice_is_shared_evenly_and_whose_turn_it_is_goes_round() -> None:
    """POST by POST, to one worker each; with one POST a slice the workers take turns."""
    dealer = Dealer()
    dealer.join("a")
    dealer.join("b")

    assert shares(dealer.deal(piece(1, [0], [1], [2], [3], [4]), 0)) == {"a": [0, 2, 4], "b": [1, 3]}
    assert shares(dealer.deal(piece(1.5, [5]), 0)) == {"b": [5]}
    assert shares(dealer.deal(piece(2, [6]), 0)) == {"a": [6]}


def test_the_alerts_of_a_post_and_a_volley_stay_together() -> None:
    """Three alerts a POST are due together; ten duplicates are one volley."""
    steady = Phase("s", "steady", Fraction(12), 0.5, alert=AlertRecipe(per_post=3))
    volley = Phase("v", "duplicates", Fraction(0), 0.5, count=10)
    found = list(slices.cut(load.plan(scenario(steady, volley))))
    dealer = Dealer()
    dealer.join("a")
    dealer.join("b")

    assert [(s.begins_s, [len(post) for post in s.posts]) for s in found] == [(0.0, [3, 3]), (0.5, [10])]
    assert shares(dealer.deal(found[0], 0)) == {"a": [0, 1, 2], "b": [3, 4, 5]}
    assert shares(dealer.deal(found[1], 0)) == {"a": list(range(6, 16))}


def test_a_slice_of_many_posts_comes_in_parts() -> None:
    """With the same begin, and nothing left out."""
    found = list(slices.cut(load.plan(scenario(Phase("s", "steady", Fraction(4400), 1.0)))))

    assert [(s.begins_s, len(s.posts)) for s in found] == [
        (0.0, 1000),
        (0.0, 1000),
        (0.0, 200),
        (0.5, 1000),
        (0.5, 1000),
        (0.5, 200),
    ]
    assert [a.number for s in found for post in s.posts for a in post] == list(range(4400))


def test_a_lease_is_accepted_before_its_slice_or_soon_after_it_was_offered() -> None:
    """0.1 s before the slice begins; but who is asked late has 0.4 s."""
    dealer = Dealer()
    dealer.join("a")

    assert [lease.accept_by_s for lease in dealer.deal(piece(5, [0]), 4)] == [4.9]
    assert [lease.accept_by_s for lease in dealer.deal(piece(5, [1]), 4.25)] == [4.9]
    assert [lease.accept_by_s for lease in dealer.deal(piece(5, [2]), 5.25)] == []  # Has not answered.
    assert dealer.answer(1, accepted=True)
    assert dealer.answer(2, accepted=True)
    assert [lease.accept_by_s for lease in dealer.tick(5.25)] == [5.65]


def test_a_late_joiner_has_its_share_from_the_next_slice_on() -> None:
    """Nothing that was leased changes hands."""
    dealer = Dealer()
    dealer.join("a")
    first = dealer.deal(piece(1, [0], [1]), 0)
    dealer.join("b")
    second = dealer.deal(piece(1.5, [2], [3]), 0.25)

    assert shares(first) == {"a": [0, 1]}
    assert shares(second) == {"a": [2], "b": [3]}


def test_who_does_not_answer_gets_no_more_until_it_does() -> None:
    """The other one has all meanwhile."""
    dealer = Dealer()
    dealer.join("a")
    dealer.join("b")
    first = {lease.worker: lease for lease in dealer.deal(piece(1, [0], [1]), 0)}
    dealer.answer(first["a"].number, accepted=True)
    second = dealer.deal(piece(1.5, [2], [3]), 0.5)
    dealer.answer(second[0].number, accepted=True)
    dealer.answer(first["b"].number, accepted=False)
    third = dealer.deal(piece(2, [4], [5]), 1.0)

    assert shares(second) == {"a": [2, 3]}
    # What b refused is a's, as it is not too late.
    assert [(lease.worker, [a.number for a in lease.alerts]) for lease in third] == [
        ("a", [1]),
        ("a", [5]),
        ("b", [4]),
    ]


def test_what_was_refused_too_late_is_unsent_and_what_is_not_answered_stays_in_doubt() -> None:
    """A refusal proves that it was not begun; silence proves nothing."""
    dealer = Dealer()
    dealer.join("a")
    refused, silent = dealer.deal(piece(1, [0]), 0), dealer.deal(piece(1.5, [1]), 0.25)
    dealer.answer(refused[0].number, accepted=False)
    late = dealer.tick(1.75)
    dealer.leave("a")
    dealer.close()

    assert late == []
    assert [alert.number for alert in dealer.unsent] == [0]
    assert list(dealer.leases.values()) == silent
    assert silent[0].state is State.OFFERED


def test_without_a_worker_a_slice_waits_for_one_and_is_then_unsent() -> None:
    """Half a second after its begin; who joins before has it."""
    dealer = Dealer()
    dealer.deal(piece(1, [0]), 0)
    dealer.deal(piece(2, [1]), 1)
    dealer.tick(1.75)
    dealer.join("a")

    assert [alert.number for alert in dealer.unsent] == [0]
    assert shares(dealer.tick(1.75)) == {"a": [1]}


@dataclass
class Worker:
    """What a worker does: it remembers its word, and begins what it accepted."""

    said: dict[int, bool] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)
    stopped: bool = False

    def take(self, lease: Lease, now_s: float) -> bool:
        """Return its word on a lease, the same each time."""
        if lease.number not in self.said:
            self.said[lease.number] = now_s <= lease.accept_by_s
            if self.said[lease.number]:
                self.begun += [alert.number for alert in lease.alerts]
        return self.said[lease.number]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "pass",
                "join",
                "kill",
                "stop",
                "continue",
                "deliver",
                "deliver",
                "again",
                "drop",
                "answer",
                "answer",
            )
        ),
        st.integers(0, 20),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(ACTIONS, st.integers(1, 3))
def test_every_alert_is_in_one_state_and_none_is_begun_twice(
    actions: list[tuple[str, int]], per_post: int
) -> None:
    """Whatever joins, dies, stops, comes late, twice, or not at all."""
    steady = Phase("s", "steady", Fraction(PER_S), 6.0, alert=AlertRecipe(per_post=per_post))
    plan = list(load.plan(scenario(steady)))
    left = list(slices.cut(plan))
    dealer, now_s = Dealer(), -2.0
    workers: dict[str, Worker] = {}
    living: list[str] = []
    offers: list[Lease] = []
    answers: list[tuple[int, bool]] = []
    made: dict[int, Lease] = {}

    def keep(leases: list[Lease]) -> None:
        offers.extend(leases)
        made.update((lease.number, lease) for lease in leases)

    for action, n in actions:
        if action == "pass":
            now_s += n / 8
        elif action == "join":
            name = f"w{len(workers)}"
            workers[name] = Worker()
            living.append(name)
            dealer.join(name)
        elif action == "kill" and living:
            dealer.leave(living.pop(n % len(living)))
        elif action in ("stop", "continue") and living:
            workers[living[n % len(living)]].stopped = action == "stop"
        elif action in ("deliver", "again") and offers:
            lease = offers[n % len(offers)]
            if lease.worker in living and not workers[lease.worker].stopped:
                answers.append((lease.number, workers[lease.worker].take(lease, now_s)))
                if action == "deliver":
                    offers.remove(lease)
        elif action == "drop" and offers:
            offers.pop(n % len(offers))
        elif action == "answer" and answers:
            number, accepted = answers.pop(n % len(answers))
            dealer.answer(number, accepted=accepted)
        while left and left[0].begins_s - AHEAD_S <= now_s:
            keep(dealer.deal(left.pop(0), now_s))
        keep(dealer.tick(now_s))

        begun = [number for worker in workers.values() for number in worker.begun]
        held = [a.number for lease in made.values() if lease.state is not State.REFUSED for a in lease.alerts]
        unsent = [a.number for a in dealer.unsent]
        everywhere = [a.number for s in left for p in s.posts for a in p] + held + unsent
        everywhere += [a.number for a in dealer.waiting]

        assert Counter(everywhere) == Counter(alert.number for alert in plan)
        assert len(set(begun)) == len(begun)
        assert set(begun) <= set(held)


@given(st.sets(st.integers(0, 400), max_size=60))
def test_ranges_hold_the_numbers_they_were_made_of(numbers: set[int]) -> None:
    """In order, whatever they are."""
    assert list(ranges.unpack(ranges.pack(sorted(numbers)))) == sorted(numbers)


def test_a_workers_share_of_a_slice_is_one_range() -> None:
    """Evenly spaced numbers are one run; a change of pace begins another."""
    assert ranges.pack(range(1, 5000, 3)) == [[1, 1667, 3]]
    assert ranges.pack([0, 1, 2, 10, 12, 14]) == [[0, 3, 1], [10, 3, 2]]
    assert ranges.pack([]) == []
