"""Locust's statistics count every POST, in batches; who listens is told of each. In a patched process."""

from __future__ import annotations

from typing import Any

from patched_process import call

from chaos_hooks.answers import Answer
from chaos_hooks.exchange import Exchange
from reports.history import Outcome
from shapes.alerts import Planned

ALERTS = [Planned(0, 0, "chaos", 1.0)]
ACKED, REFUSED = [Answer(Outcome.ACKED, "created")], [Answer(Outcome.REJECTED, "safe", "HTTP 503")]


def answered(status: int = 201) -> Exchange:
    return Exchange("done", 1.0, 1.25, status, b"{}", "")


def counted() -> list[Any]:
    """Return what the statistics say of four POSTs before and after two flushes, and Locust's own then."""
    from locust.env import Environment
    from locust.event import Events

    from chaos_hooks.locust_stats import LocustStats

    environment = Environment(events=Events())
    environment.create_local_runner()
    stats = LocustStats(environment)
    stats.note([answered()] * 3, [ALERTS] * 3, [ACKED] * 3)
    stats.note([answered(503)], [ALERTS], [REFUSED])
    before = environment.stats.total.num_requests
    stats.flush()
    stats.flush()
    times = ("min_response_time", "median_response_time", "max_response_time")
    counts = ("num_requests", "num_failures", "total_content_length")
    entries = [
        [getattr(entry, name) for name in counts + times] + [sum(entry.num_reqs_per_sec.values())]
        for entry in (environment.stats.total, environment.stats.get("alerts", "POST"))
    ]
    errors = [[e.occurrences, str(e.error)] for e in environment.stats.errors.values()]
    return [before, entries, errors]


def heard() -> list[Any]:
    """Return what a listener heard of two POSTs, and how many the statistics count."""
    from locust.env import Environment
    from locust.event import Events

    from chaos_hooks.locust_stats import LocustStats

    environment = Environment(events=Events())
    environment.create_local_runner()
    said: list[dict[str, Any]] = []
    environment.events.request.add_listener(lambda **each: said.append(each))
    stats = LocustStats(environment)
    stats.note([answered()], [ALERTS], [ACKED])
    stats.note([answered(503)], [ALERTS], [REFUSED])
    stats.flush()
    told = [[each["response_time"], str(each["exception"] or "")] for each in said]
    return [told, environment.stats.total.num_requests]


def test_the_statistics_count_every_post_once() -> None:
    """In a batch, with their times from the due time and their failures by reason."""
    each = [4, 1, 8, 250, 250, 250, 4]
    assert call("test_locust_stats", "counted") == [0, [each, each], [[1, "rejected: 503"]]]


def test_who_listens_is_told_of_each() -> None:
    """A listener of the user's own gets the events, and the statistics still count each POST once."""
    assert call("test_locust_stats", "heard") == [[[250.0, ""], [250.0, "rejected: 503"]], 2]
