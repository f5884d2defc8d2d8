"""How long a master stands still while a worker streams its ledger of a million alerts to it.

``python benchmarks/master_stall.py [ALERTS]`` starts a worker process that writes a ledger and streams it as
`chaos_hooks.worker_run` does, over Locust's own sockets; a greenlet of the master that wants to run every
millisecond tells the longest time for which it could not, without and with the stream.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
from locust.rpc import Message, zmqrpc  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos_hooks.answers import Answer  # noqa: E402
from chaos_hooks.ledger import Ended, Ledger  # noqa: E402
from chaos_hooks.ledger_copy import LedgerCopy  # noqa: E402
from chaos_hooks.worker_run import STREAM_S, UNDER_WAY  # noqa: E402
from reports.history import Outcome  # noqa: E402
from shapes.alerts import Planned  # noqa: E402

BATCH = 48


def worker(port: int, alerts: int, folder: Path) -> None:
    """Write a ledger as a worker does, then stream it."""
    ledger = Ledger(folder / "own.bin")
    answer = Answer(Outcome.ACKED, "created")
    for first in range(0, alerts, BATCH):
        batch = [Planned(n, n, "steady", n / 1000) for n in range(first, min(first + BATCH, alerts))]
        ledger.begin_post(batch, first / 1000)
        ledger.end_all([Ended(a.number, answer, a.due_s + 0.001, a.due_s + 0.002, 201) for a in batch])
    ledger.seal()
    client = zmqrpc.Client("127.0.0.1", port, "worker")
    client.send(Message("alertstorm", {"kind": "ready"}, "worker"))
    wanted, sent = [0], 0
    client.recv()

    def listen() -> None:
        while True:
            wanted[0] = client.recv().data["begins"]

    gevent.spawn(listen)
    while wanted[0] < ledger.size:
        while sent - wanted[0] < UNDER_WAY and (piece := ledger.chunk(sent)):
            client.send(Message("alertstorm", {"kind": "rows", "begins": sent, "data": piece}, "worker"))
            sent += len(piece)
            gevent.sleep(0)
        gevent.sleep(STREAM_S)


def master(alerts: int) -> None:
    """Take the stream, and measure."""
    gaps: list[tuple[float, float]] = []

    def tick() -> None:
        last_s, used_s = time.perf_counter(), time.process_time()
        while True:
            gevent.sleep(0.001)
            now_s, now_used_s = time.perf_counter(), time.process_time()
            gaps.append((now_s - last_s - 0.001, now_used_s - used_s))
            last_s, used_s = now_s, now_used_s

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = zmqrpc.Server("127.0.0.1", 0)
        words = [sys.executable, __file__, "worker", str(server.port), str(alerts), name]
        child = subprocess.Popen(words)
        ledger = LedgerCopy(folder, "worker-0")
        server.recv_from_client()
        ticker = gevent.spawn(tick)
        gevent.sleep(2.0)
        idle_s = longest(gaps)
        gaps.clear()
        server.send_to_client(Message("go", None, "worker"))
        began_s, taken_s, count = time.perf_counter(), [], 0
        while not ledger.sealed:
            _, message = server.recv_from_client()
            at_s = time.perf_counter()
            wanted = ledger.add(message.data["begins"], message.data["data"])
            taken_s.append(time.perf_counter() - at_s)
            gevent.sleep(0)
            server.send_to_client(Message("alertstorm", {"begins": wanted}, "worker"))
            count += 1
        took_s = time.perf_counter() - began_s
        gevent.sleep(0.01)
        ticker.kill()
        child.wait()
        ms = 1000
        print(f"{alerts} alerts, {wanted} bytes in {count} messages, taken in {took_s:.2f} s")
        print(f"one message: at most {max(taken_s) * ms:.2f} ms of work")
        for what, with_s, without_s in zip(
            ("of the clock", "of its own work"), longest(gaps), idle_s, strict=True
        ):
            print(
                f"longest standstill {what}: {with_s * ms:.1f} ms; without a stream {without_s * ms:.1f} ms"
            )


def longest(gaps: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the longest standstill by the clock, which counts also what others took of the core, and the
    most processor time that the master itself used in one."""
    return max(each for each, _ in gaps), max(each for _, each in gaps)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    else:
        master(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
