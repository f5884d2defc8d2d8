"""The load of a scenario: every alert in order of its due time, numbered from 0."""

from __future__ import annotations

import heapq
import random
from array import array
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat

import numpy as np

from shapes.alerts import Planned
from shapes.phase import AlertRecipe, Phase, exact
from shapes.scenario import Scenario

_CHUNK = 4096  # Due times are worked out so many at a time.
_EXACT = 2**53  # Integers up to here are exact as floats, so that their quotient is rounded once, too.
_tuple = tuple.__new__  # Makes a named tuple at a third of the cost of its own name.


def plan(scenario: Scenario) -> Iterator[Planned]:
    """Yield every alert of a scenario in order of its due time.

    The load is open: due times do not depend on what the target does. With ``per_post`` n, n alerts share
    the due time of the first. Repeats are drawn from the scenario's seed, so a run can be repeated; an alert
    repeats one with the same name, namespace and severity.

    Duplicates are identical in labels to the last alert planned before their phase; where there is none, or
    the phase has a recipe of its own, to their own first.

    A resolved alert is of the phase in which it falls due; one that would be due after the load is not
    planned.
    """
    return _Planner(scenario).planned()


def unusable(scenario: Scenario) -> frozenset[int]:
    """Return the numbers of the alerts that no Gateway can use."""
    recipes = [scenario.alert, *(phase.alert for phase in scenario.phases if phase.alert)]
    if not any(recipe.unusable for recipe in recipes):
        return frozenset()
    return frozenset(planned.number for planned in plan(scenario) if planned.unusable)


class _Planner:
    """What is known of the alerts so far."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._chance = random.Random(scenario.seed)
        recipes = [scenario.alert, *(phase.alert for phase in scenario.phases if phase.alert)]
        # Else nothing is drawn that tells one plan from another.
        self._repeats = any(recipe.repeat for recipe in recipes)
        self._count = 0
        self._volleys = 0
        # By what repeats have in common: for each alert so far, the first with the same labels.
        self._firsts: defaultdict[tuple[str, str, str], array[int]] = defaultdict(lambda: array("Q"))
        self._last: Planned | None = None
        # Resolved ones to come: when due, which was first, what they resolve.
        self._resolved: list[tuple[Fraction, int, Planned]] = []
        self._begins: list[tuple[Fraction, str]] = []
        begin = Fraction(0)
        for phase in scenario.phases:
            self._begins.append((begin, phase.name))
            begin += exact(phase.for_s)
        self._load = begin

    def planned(self) -> Iterator[Planned]:
        """Yield the alerts."""
        for (begin, _), phase in zip(self._begins, self._scenario.phases, strict=True):
            recipe = phase.alert or self._scenario.alert
            if phase.pattern == "duplicates":
                yield from self._until(begin)
                yield from self._volley(phase, begin)
                continue
            if not phase.alerts:
                continue
            if not (recipe.resolved or recipe.unusable or self._resolved):
                yield from self._plain(phase, recipe, begin)
                continue
            for k in range(phase.alerts):
                due = begin + phase.due(k, recipe.per_post)
                if self._resolved:
                    yield from self._until(due)
                alert = self._next(recipe, phase, float(due), unusable=phase.spoils(k, recipe))
                yield alert
                if phase.resolves(k, recipe):
                    ends = due + exact(recipe.resolve_after_s)
                    heapq.heappush(self._resolved, (ends, alert.number, alert))
        yield from self._until(self._load)

    def _plain(self, phase: Phase, recipe: AlertRecipe, begin: Fraction) -> Iterator[Planned]:
        """Yield the alerts of a phase among which no others fall due: the same, at a fraction of the cost."""
        # In integers all through: their quotient is rounded once, as a Fraction's float is.
        step, per_post = phase.due(recipe.per_post, recipe.per_post) / recipe.per_post, recipe.per_post
        over = begin.denominator * step.denominator
        first, each = begin.numerator * step.denominator, step.numerator * begin.denominator
        firsts, name, number = self._firsts[recipe.family], phase.name, self._count
        if self._repeats:
            for k in range(phase.alerts):
                subject = self._subject(phase, recipe, firsts, number)
                firsts.append(subject)
                due_s = (first + (k - k % per_post) * each) / over
                planned = _tuple(Planned, (number, subject, name, due_s, recipe, 0, None, False))
                number += 1
                self._count, self._last = number, planned
                yield planned
            return
        numbers = range(number, number + phase.alerts)
        dues = _quotients(first, each, over, phase.alerts, per_post)
        rest = (repeat(recipe), repeat(0), repeat(None), repeat(False))
        firsts.extend(numbers)
        # As above, but without a line of Python for each.
        yield from map(_tuple, repeat(Planned), zip(numbers, numbers, repeat(name), dues, *rest))
        self._count = number + phase.alerts
        last_s = (first + (phase.alerts - 1) // per_post * per_post * each) / over
        self._last = Planned(self._count - 1, self._count - 1, name, last_s, recipe)

    def _next(self, recipe: AlertRecipe, phase: Phase, due_s: float, *, unusable: bool) -> Planned:
        firsts, number = self._firsts[recipe.family], self._number()
        if unusable:  # Nobody repeats it: it has labels of its own.
            return Planned(number, number, phase.name, due_s, recipe, unusable=True)
        subject = self._subject(phase, recipe, firsts, number)
        return self._remember(Planned(number, subject, phase.name, due_s, recipe))

    def _subject(self, phase: Phase, recipe: AlertRecipe, firsts: array[int], number: int) -> int:
        """Return which alert one repeats: itself, if none."""
        if firsts and not phase.distinct and self._chance.random() < recipe.repeat:
            return firsts[self._chance.randrange(len(firsts))]
        return number

    def _volley(self, phase: Phase, begin: Fraction) -> Iterator[Planned]:
        like = None if phase.alert else self._last
        recipe = like.recipe if like else phase.alert or self._scenario.alert
        subject = like.subject if like else self._count
        self._volleys += 1
        for _ in range(phase.alerts):
            alert = Planned(self._number(), subject, phase.name, float(begin), recipe, volley=self._volleys)
            yield self._remember(alert)

    def _until(self, due: Fraction) -> Iterator[Planned]:
        """Yield the resolved ones that are due by then, but before the load's end."""
        while self._resolved and self._resolved[0][0] <= due and self._resolved[0][0] < self._load:
            ends, _, fired = heapq.heappop(self._resolved)
            phase = next(name for begins, name in reversed(self._begins) if begins <= ends)
            yield Planned(
                self._number(), fired.subject, phase, float(ends), fired.recipe, fired_s=fired.due_s
            )

    def _remember(self, alert: Planned) -> Planned:
        self._firsts[alert.recipe.family].append(alert.subject)
        self._last = alert
        return alert

    def _number(self) -> int:
        self._count += 1
        return self._count - 1


def _quotients(first: int, each: int, over: int, count: int, per_post: int) -> Iterator[float]:
    """Yield (first + (k - k % per_post) * each) / over for each k below ``count``, rounded once."""
    exact_ = first >= 0 and each >= 0 and first + count * each <= _EXACT and over <= _EXACT
    for begin in range(0, count, _CHUNK):
        end = min(count, begin + _CHUNK)
        if exact_:
            k = np.arange(begin, end, dtype=np.int64)
            yield from ((first + (k - k % per_post) * each) / over).tolist()
        else:
            yield from [(first + (k - k % per_post) * each) / over for k in range(begin, end)]
