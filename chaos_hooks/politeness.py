"""Long work in a greenlet that lets others have their turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import gevent

from shapes.alerts import Planned

_BREATH = 500  # So many alerts are planned in one go; then others have their turn.


def politely(planned: Iterable[Planned]) -> Iterator[Planned]:
    """Yield them with pauses, so that planning many does not keep others waiting."""
    for count, alert in enumerate(planned):
        if count % _BREATH == 0:
            gevent.sleep(0)
        yield alert
