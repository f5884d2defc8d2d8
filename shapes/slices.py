"""The schedule cut into slices of half a second, each a list of POSTs that must not be torn apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shapes.alerts import Planned

SLICE_S = 0.5
MOST = 1000  # POSTs in a part of a slice.


@dataclass(frozen=True, slots=True)
class Slice:
    """The POSTs that fall due in [begins_s, begins_s + SLICE_S); a volley counts as one."""

    begins_s: float
    posts: tuple[tuple[Planned, ...], ...]


def cut(planned: Iterable[Planned]) -> Iterator[Slice]:
    """Yield the slices in which something falls due; the alerts come in order of their due times. One of many
    POSTs comes in parts, with the same begin, so that none takes long to handle."""
    for index, group in itertools.groupby(_posts(planned), key=lambda post: int(post[0].due_s // SLICE_S)):
        while part := tuple(itertools.islice(group, MOST)):
            yield Slice(index * SLICE_S, part)


def _posts(planned: Iterable[Planned]) -> Iterator[tuple[Planned, ...]]:
    post: list[Planned] = []
    for alert in planned:
        if post and (alert.due_s != post[0].due_s or alert.post != post[0].post):
            yield tuple(post)
            post = []
        post.append(alert)
    if post:
        yield tuple(post)
