"""The score of a row: what each trial proves, and what all of them together do, with its 95 % bound."""

import math
from collections import Counter
from dataclasses import dataclass, field
from math import comb

from sandbox.selftest.row import Row
from sandbox.selftest.trial import Outcome

HIT, MISS, VOID, INVALID = "hit", "MISS", "VOID", "INVALID"
# Where the machine leaves the harness less of its looks, what it could not decide is no wonder.
ENOUGH_LOOKS = 0.9


def grade(row: Row, got: Outcome) -> tuple[str, str]:
    """Return what a trial proves, and why if it is no hit.

    VOID: what was planted never bit. INVALID: what the run rests on did not hold, or it is undecided on a
    machine that was too busy; neither proves anything about the harness.
    """
    if got.state == "INVALID" and "INVALID" not in row.states:
        return INVALID, got.detail
    if (row.planted or row.act) and not got.triggered and got.state not in ("SKIPPED", "BROKEN"):
        return VOID, "what was planted never bit"
    graded, why = _grade_defect(row, got) if row.wants else _grade_innocent(row, got)
    if graded == MISS and got.state == "UNKNOWN" and got.looked < ENOUGH_LOOKS:
        return INVALID, f"undecided, as only {got.looked:.0%} of the looks were made: {got.detail}"
    return graded, why


def _grade_defect(row: Row, got: Outcome) -> tuple[str, str]:
    if got.state != "FAIL" or row.wants not in got.failed:
        return MISS, f"not convicted by {row.wants}: {got.state}, {got.detail}"
    others = [name for name in got.failed if name not in (row.wants, *row.allows)]
    if others:
        return MISS, f"convicted by {', '.join(others)}, too"
    if got.without == "FAIL" or got.without.startswith("BROKEN"):
        return MISS, f"with {row.wants} disabled it is still convicted: {got.without}"
    return HIT, ""


def _grade_innocent(row: Row, got: Outcome) -> tuple[str, str]:
    if got.failed or got.state not in row.states:
        failed = f", failed by {', '.join(got.failed)}" if got.failed else ""
        return MISS, f"{got.state}{failed}: {got.detail}"
    strange = [name for name in got.undecided if name not in row.allows]
    if strange:
        return MISS, f"undecided: {', '.join(strange)}"
    return HIT, ""


@dataclass(slots=True)
class Score:
    """All trials of a row."""

    row: Row
    trials: list[tuple[int, Outcome, str, str]] = field(default_factory=list)

    def add(self, seed: int, got: Outcome) -> str:
        """Note a trial; return what it proves."""
        graded, why = grade(self.row, got)
        self.trials.append((seed, got, graded, why))
        return graded

    def number(self, graded: str) -> int:
        """How many trials proved this."""
        return sum(each == graded for _, _, each, _ in self.trials)

    @property
    def runs(self) -> int:
        """How many trials count: those that prove something."""
        return self.number(HIT) + self.number(MISS)

    @property
    def hits(self) -> int:
        """How many of them said what they must."""
        return self.number(HIT)

    @property
    def sound(self) -> bool:
        """Whether there is a trial that counts, and none missed."""
        return self.runs > 0 and self.hits == self.runs

    @property
    def least(self) -> float:
        """The share of such runs, 0 to 1, that would be hits at least, at 95 %."""
        return least_share(self.hits, self.runs)

    def common(self, what: str) -> str:
        """What most trials had as ``state``, ``failed`` or ``undecided``."""
        found = Counter(getattr(got, what) for _, got, graded, _ in self.trials if graded in (HIT, MISS))
        value = found.most_common(1)[0][0] if found else ""
        return value if isinstance(value, str) else ", ".join(value)


def rounded_down(share: float) -> str:
    """Return a share, 0 to 1, that is a bound from below, in per cent: never more than is known."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}%"


def rounded_up(share: float) -> str:
    """Return a share, 0 to 1, that is a bound from above, in per cent: never less than is known."""
    return f"{math.ceil(share * 1000 - 1e-9) / 10:.1f}%"


def least_share(hits: int, runs: int) -> float:
    """The exact binomial bound (Clopper-Pearson, one-sided, 95 %): with all of n hit it is 0.05^(1/n)."""
    if not hits:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        as_good = sum(comb(runs, k) * middle**k * (1 - middle) ** (runs - k) for k in range(hits, runs + 1))
        low, high = (middle, high) if as_good < 0.05 else (low, middle)
    return low
