"""A phase of the load: its pattern, how many alerts fall due when, and what they look like."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from shapes import units
from shapes.document import Node

# What each pattern needs to know beside its duration; "none" is a pause, a phase without load.
PATTERNS = {"steady": "rate", "storm": "count", "duplicates": "count", "none": ""}
_LEAST = {"storm": 1, "duplicates": 2}
_EXAMPLES = {"rate": "rate: 10/s", "count": "count: 10"}


@dataclass(frozen=True, slots=True)
class AlertRecipe:
    """What the alerts look like. ``repeat`` is the share (0 to 1) of those that repeat an earlier one,
    ``resolved`` the share of those that are followed, ``resolve_after_s`` later, by a resolved one, and
    ``unusable`` the share of those that no Gateway can use, as they have no alertname."""

    name: str = "PodCrashed"
    namespace: str = "prod-api"
    severity: str = "critical"
    repeat: float = 0.0
    per_post: int = 1
    resolved: float = 0.0
    resolve_after_s: float = 5.0
    unusable: float = 0.0

    @property
    def family(self) -> tuple[str, str, str]:
        """Return what all alerts of this recipe have in common: all labels but the pod."""
        return (self.name, self.namespace, self.severity)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of load with one pattern. Times in seconds; ``rate_per_s`` is exact, 0 without a rate.

    - steady: alert k is due at k/rate
    - storm: ``count`` alerts with labels of their own, spread evenly
    - duplicates: ``count`` alerts with the same labels, all due at the begin
    - none: no alert at all

    ``alert`` is None where the scenario's recipe holds.
    """

    name: str
    pattern: str
    rate_per_s: Fraction
    for_s: float
    count: int = 0
    alert: AlertRecipe | None = None

    @property
    def alerts(self) -> int:
        """Return how many alerts fall due in it, resolved ones not counted: all k >= 0 with k/rate <
        duration, or the count."""
        if self.pattern == "steady":
            return -int(-(self.rate_per_s * exact(self.for_s)) // 1)
        return self.count

    @property
    def distinct(self) -> bool:
        """Return whether no alert of it may repeat an earlier one."""
        return self.pattern == "storm"

    def family(self, plain: AlertRecipe) -> tuple[str, str, str]:
        """Return what its alerts have in common; ``plain`` is the scenario's recipe."""
        return (self.alert or plain).family

    def due(self, k: int, per_post: int) -> Fraction:
        """Return when alert k is due, in seconds from the phase's begin; those of a POST are due together."""
        if self.pattern == "duplicates":
            return Fraction(0)
        opens_post = k - k % per_post
        pace = Fraction(self.count) / exact(self.for_s) if self.pattern == "storm" else self.rate_per_s
        return opens_post / pace

    def resolves(self, k: int, recipe: AlertRecipe) -> bool:
        """Return whether a resolved one follows alert k: one does for floor(n * share) of the first n."""
        if not recipe.resolved or self.pattern == "duplicates":
            return False  # Duplicates are one alert; it would end as often as it was sent.
        share = exact(recipe.resolved)
        return (k + 1) * share // 1 > k * share // 1

    def spoils(self, k: int, recipe: AlertRecipe) -> bool:
        """Return whether alert k is unusable: floor(n * share) of the first n are."""
        if not recipe.unusable:
            return False
        share = exact(recipe.unusable)
        return self.pattern != "duplicates" and (k + 1) * share // 1 > k * share // 1

    def resolved(self, recipe: AlertRecipe, left_s: Fraction) -> int:
        """Return how many resolved ones fall due within ``left_s`` seconds of the phase's begin."""
        after = exact(recipe.resolve_after_s)
        if self.pattern == "duplicates" or not recipe.resolved:
            return 0
        # The due times grow with k, so those that come in time are the first ones.
        low, high = 0, self.alerts
        while low < high:
            middle = (low + high) // 2
            if self.due(middle, recipe.per_post) + after < left_s:
                low = middle + 1
            else:
                high = middle
        return int(low * exact(recipe.resolved) // 1)


def exact(seconds: float) -> Fraction:
    """Return a decimal number as it was written, not the float near it."""
    return Fraction(str(seconds))


def parse(node: Node, plain: AlertRecipe) -> Phase:
    """Return the phase that a node describes; ``plain`` is the scenario's recipe.

    Raises:
        DocumentError: naming file, path and mend.
    """
    got = node.fields(required=("name", "for"), optional=("pattern", "rate", "count", "alert"))
    pattern = got["pattern"].one_of(PATTERNS) if "pattern" in got else "steady"
    needs = PATTERNS[pattern]
    if needs and needs not in got:
        raise node.error(f"field {needs!r} is missing, a {pattern} phase has one; add '{_EXAMPLES[needs]}'")
    for name in ("rate", "count"):
        if name in got and name != needs:
            raise got[name].error(f"a phase of pattern {pattern} has none; leave it out{_instead(name)}")
    if pattern == "none" and "alert" in got:
        raise got["alert"].error("a phase of pattern none sends nothing; leave it out")
    phase = Phase(
        name=got["name"].text(),
        pattern=pattern,
        rate_per_s=got["rate"].quantity(units.rate_per_s) if needs == "rate" else Fraction(0),
        for_s=got["for"].quantity(units.duration_s),
        count=got["count"].whole(least=_LEAST[pattern]) if needs == "count" else 0,
        alert=recipe(got["alert"], plain) if "alert" in got else None,
    )
    if phase.for_s == 0:
        raise got["for"].error("is zero; a phase lasts, write for example 10s")
    return phase


def recipe(node: Node, plain: AlertRecipe) -> AlertRecipe:
    """Return the recipe that a node describes; what it leaves out is as in ``plain``.

    Raises:
        DocumentError: naming file, path and mend.
    """
    fields = ("name", "namespace", "severity", "repeat", "per_post", "resolved", "resolve_after", "unusable")
    got = node.fields(optional=fields)
    after_s = got["resolve_after"].quantity(units.duration_s) if "resolve_after" in got else None
    if after_s == 0:
        raise got["resolve_after"].error("is zero; an alert fires before it resolves, write for example 5s")
    unusable = got["unusable"].quantity(units.share) if "unusable" in got else plain.unusable
    resolved = got["resolved"].quantity(units.share) if "resolved" in got else plain.resolved
    if unusable and resolved:
        raise node.error("unusable alerts never fire, so none resolves; leave out 'unusable' or 'resolved'")
    return AlertRecipe(
        name=got["name"].text() if "name" in got else plain.name,
        namespace=got["namespace"].text() if "namespace" in got else plain.namespace,
        severity=got["severity"].text() if "severity" in got else plain.severity,
        repeat=got["repeat"].quantity(units.share) if "repeat" in got else plain.repeat,
        per_post=got["per_post"].whole(least=1) if "per_post" in got else plain.per_post,
        resolved=resolved,
        resolve_after_s=plain.resolve_after_s if after_s is None else after_s,
        unusable=unusable,
    )


def _instead(name: str) -> str:
    of = [pattern for pattern, needs in PATTERNS.items() if needs == name]
    return f", or write pattern: {' or '.join(of)}"
