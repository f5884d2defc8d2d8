"""Many numbers in few: ascending ones as runs of [first, count, step]."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def pack(numbers: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers as runs; evenly spaced ones, as a worker's share is, make a single run."""
    runs: list[list[int]] = []
    for number in numbers:
        last = runs[-1] if runs else None
        if last and last[1] == 1:
            last[1:] = [2, number - last[0]]
        elif last and number == last[0] + last[1] * last[2]:
            last[1] += 1
        else:
            runs.append([number, 1, 1])
    return runs


def unpack(runs: Iterable[Sequence[int]]) -> Iterator[int]:
    """Yield the numbers of runs, in their order."""
    for first, count, step in runs:
        yield from range(first, first + count * step, step)
