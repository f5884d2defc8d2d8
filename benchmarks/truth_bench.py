"""A hundred thousand RemediationRequests: seen by a watch, read back in pages, and what that takes.

Runs under gevent's patches, as a run does: ``python -m gevent.monkey --module benchmarks.truth_bench FOLDER
[COUNT]``.
"""

from __future__ import annotations

import base64
import http.client
import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import yaml

from chaos_hooks import request_list
from chaos_hooks.request_watch import RequestWatch
from chaos_hooks.truth import Truth
from shapes import alerts
from shapes.alerts import Naming, Planned
from shapes.target import Endpoints, ResourceRules

COUNT, PAGES = 100_000, (500, 1000, 2000, 5000)
_ROOT = Path(__file__).resolve().parent.parent
_NAMESPACE = "alertstorm"
_PATH = f"/apis/remediation.kubernaut.io/v1alpha1/namespaces/{_NAMESPACE}/remediationrequests"


def hundred_thousand(folder: Path, count: int = COUNT) -> Iterator[str]:
    """Yield what was measured, line by line."""
    naming = Naming("benchmark")
    with _serving(folder) as (port, kubeconfig):
        endpoints = Endpoints(kubeconfig=kubeconfig, namespace=_NAMESPACE)
        truth = Truth(endpoints, ResourceRules())
        watch = RequestWatch(truth, naming)
        watch.start()
        created_s = _fill(port, naming, count)
        yield f"{count:,} RemediationRequests created in {created_s:.0f} s, a watch of them all along"
        with gevent.Timeout(120):
            while watch.seen < count:
                gevent.sleep(0.05)
        yield (f"the watch has seen {watch.seen:,}, with {watch.gaps} gaps {watch.error}")
        for size in PAGES:
            request_list.PAGE = size
            before, begun_s, cpu_s = _megabytes(), time.perf_counter(), time.process_time()
            found = truth.read(naming)
            took_s, busy_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
            if [r.creator for r in found] != list(range(count)):
                raise SystemExit(f"{len(found)} were read, wanted {count}")
            grown = _megabytes() - before
            yield (f"read in pages of {size}: {took_s:.1f} s, {busy_s:.1f} s of it ours; {grown:.0f} MB more")
        watch.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[int, str]]:
    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "sandbox.kubernetes_api",
        "--listen",
        f"127.0.0.1:{port}",
        "--namespace",
        _NAMESPACE,
    ]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end_s = time.monotonic() + 30
        while time.monotonic() < end_s:
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
                break
            except OSError:
                time.sleep(0.05)
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "s", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                    "users": [{"name": "s", "user": {}}],
                    "contexts": [{"name": "s", "context": {"cluster": "s", "user": "s"}}],
                    "current-context": "s",
                }
            )
        )
        yield port, str(path)
    finally:
        process.kill()
        process.wait()


def _fill(port: int, naming: Naming, count: int) -> float:
    begun_s = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(count):
        planned = Planned(number, number, "load", number / 1000)
        body = json.dumps(_request(naming, planned))
        connection.request("POST", _PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise SystemExit(f"created {number} of {count}: {answer.status} {said!r}")
        if number % 500 == 0:
            gevent.sleep(0)  # Let the watch take what came.
    return time.perf_counter() - begun_s


def _request(naming: Naming, planned: Planned) -> dict[str, object]:
    payload = alerts.body(naming, [planned], lambda at_s: "2026-03-01T12:00:00Z")
    return {
        "apiVersion": "remediation.kubernaut.io/v1alpha1",
        "kind": "RemediationRequest",
        "metadata": {"name": f"rr-{planned.number:012x}"},
        "spec": {
            "signalFingerprint": f"{planned.number:064x}",
            "signalLabels": alerts.labels(naming, planned),
            "signalAnnotations": alerts.notes(naming, planned),
            "originalPayload": base64.b64encode(payload).decode(),
            "deduplication": {"isDuplicate": False, "occurrenceCount": 1},
        },
    }


if __name__ == "__main__":
    for line in hundred_thousand(Path(sys.argv[1]), *map(int, sys.argv[2:])):
        print(line, flush=True)
