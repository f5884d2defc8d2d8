"""This tool's own way of sending, as a run has it, with nothing left out: plan, ledger on disk, statistics.

``python -m benchmarks.generator URL RATE ALERTS PER_POST CONNECTIONS FOLDER`` prints one JSON line: what was
planned, how it ended by the ledger, how late alerts were begun, clock and processor seconds. With rate 0 it
 sends as fast as the connections allow: every alert is due at once.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from fractions import Fraction  # noqa: E402
from pathlib import Path  # noqa: E402

from locust.env import Environment  # noqa: E402
from locust.event import Events  # noqa: E402

from chaos_hooks.clock import RunClock  # noqa: E402
from chaos_hooks.delivery import Delivery  # noqa: E402
from chaos_hooks.emitter import Emitter  # noqa: E402
from chaos_hooks.ledger import Ledger  # noqa: E402
from chaos_hooks.locust_stats import LocustStats  # noqa: E402
from chaos_hooks.sender import Sender  # noqa: E402
from reports import table  # noqa: E402
from reports.history import Outcome  # noqa: E402
from reports.ledger import Reader  # noqa: E402
from shapes import load  # noqa: E402
from shapes.alerts import Naming, Planned  # noqa: E402
from shapes.phase import AlertRecipe, Phase  # noqa: E402
from shapes.scenario import Scenario  # noqa: E402
from shapes.target import AnswerRules  # noqa: E402

LOOK_S = 0.0005
NOW_PER_S = 1_000_000  # So much is due at once, as far as any sender is concerned.


def scenario(rate_per_s: float, seconds: float, per_post: int) -> Scenario:
    """Return a steady load of this rate, all alerts different."""
    recipe = AlertRecipe(per_post=per_post)
    phase = Phase("load", "steady", Fraction(str(rate_per_s)), seconds)
    return Scenario("bench", "", "", "quick", 1, recipe, (phase,), 0.0, (), ())


class Saturating(Emitter):
    """Begins more only when nothing waits for a connection: as fast as those allow, and no faster."""

    def _begin(self, now_s: float) -> float | None:
        if self._delivery.sender.wire.lines.waiting:
            return now_s + LOOK_S  # The loop sleeps until then, or until an answer comes.
        return super()._begin(now_s)


def run(
    url: str, rate_per_s: float, alerts: int, per_post: int, connections: int, folder: Path
) -> dict[str, object]:
    """Send so many alerts and return what came of it."""
    rate = rate_per_s or NOW_PER_S
    plan = scenario(rate, alerts / rate, per_post)
    clock, environment = RunClock(), Environment(events=Events())
    environment.create_local_runner()
    stats = LocustStats(environment)
    ledger = Ledger(folder / "ledger.bin")
    limits = {"connect_timeout_s": 60.0, "answer_timeout_s": 30.0, "max_connections": connections}
    sender = Sender(url, headers={}, clock=clock.now, **limits)  # type: ignore[arg-type]
    failed: list[BaseException] = []
    delivery = Delivery(Naming("benchmark"), sender, AnswerRules(), ledger, clock, stats.note)
    emitter = (Emitter if rate_per_s else Saturating)(delivery, clock, failed.append)
    planned: Iterator[Planned] = load.plan(plan)
    used = time.process_time()
    clock.start_in(0.05)
    begun_s = time.monotonic()
    emitter.emit(planned)
    emitter.drain(60.0)
    took_s = time.monotonic() - begun_s - 0.05
    used = time.process_time() - used
    stats.flush()
    ledger.seal()
    sender.close()
    if failed:
        raise failed[0]
    return {**judged(folder, plan.alerts), "took_s": took_s, "cpu_s": used, "per_post": per_post}


def judged(folder: Path, planned: int) -> dict[str, object]:
    """Return what the ledger on disk says."""
    damage: list[str] = []
    reader = Reader(damage)
    begun_s = time.perf_counter()
    reader.take(folder / "ledger.bin")
    attempts = reader.attempts(planned)
    read_s = time.perf_counter() - begun_s
    if damage or not reader.sealed:
        raise SystemExit(f"the ledger is not whole: {damage}")
    alerts = table.of_attempts(attempts)
    counts = {outcome.value: int(alerts.are(outcome).sum()) for outcome in Outcome}
    outcomes = {name: count for name, count in counts.items() if count}
    late_ms = (table.ordered(alerts.late_s) * 1000).tolist()
    handed_ms = (table.ordered(alerts.sent_s - alerts.due_s) * 1000).tolist()
    return {
        "planned": planned,
        "outcomes": outcomes,
        "late_ms": _percentiles(late_ms),
        "handed_ms": _percentiles(handed_ms),
        "read_s": read_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _percentiles(ordered: list[float]) -> dict[str, float]:
    p99 = ordered[(99 * len(ordered) + 99) // 100 - 1]
    return {"p50": ordered[len(ordered) // 2], "p99": p99, "max": ordered[-1]}


if __name__ == "__main__":
    address, rate, alerts, per_post, connections, where = sys.argv[1:]
    result = run(address, float(rate), int(alerts), int(per_post), int(connections), Path(where))
    print(json.dumps(result), flush=True)
