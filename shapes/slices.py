"""The schedule cut into slices of half a second, each a list of POSTs that must not be torn apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shapes.alerts import Planned

SLICE_S = 0.5


@dataclass(frozen=True, slots=True)
class Slice:
    """The POSTs that fall due in [begins_s, begins_s + SLICE_S); a volley counts as one."""

    begins_s: float
    posts: tuple[tuple[Planned, ...], ...]


def cut(planned: Iterable[Planned]) -> Iterator[Slice]:
    """Yield the slices in which something falls due; the alerts come in order of their due times."""
    posts = (tuple(group) for _, group in itertools.groupby(planned, key=lambda alert: alert.post))
    for index, group in itertools.groupby(posts, key=lambda post: int(post[0].due_s // SLICE_S)):
        yield Slice(index * SLICE_S, tuple(group))
