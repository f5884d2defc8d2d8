"""The probes: every answer is written down; what hangs, resets or talks nonsense is a failed observation."""

from __future__ import annotations

import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

import gevent
import patched_process
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kubernetes_api_server import free_port
from small_server import Request, serving

from chaos_hooks import probes
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import RecordError
from chaos_hooks.line_file import LineFile
from chaos_hooks.metric_page import read_metrics
from chaos_hooks.probes import Prober
from reports.signals import CLOSED, HALF_OPEN, METRICS, OPEN, READY
from shapes.target import AnswerRules, Endpoints, Metric, ResourceRules, Target

STATES = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
BREAKER = Metric("gateway_circuit_breaker_state", {"component": "redis"}, STATES)
EXPOSITION = """\
# HELP gateway_circuit_breaker_state State.
# TYPE gateway_circuit_breaker_state gauge
gateway_circuit_breaker_state{component="redis"} 2
gateway_circuit_breaker_state{component="kubernetes"} 0
# TYPE gateway_alerts_received_total counter
gateway_alerts_received_total{namespace="a",severity="critical"} 3
gateway_alerts_received_total{namespace="b",severity="critical"} 4.5
gateway_alerts_received_total{namespace="b",severity="warning"} 8
gateway_queue_length NaN
gateway_limit +Inf
"""


def target(metrics: dict[str, Metric]) -> Target:
    """Return a target of which only the metrics matter."""
    return Target("t", "T", None, Endpoints(), "/", {}, 1.0, 1.0, AnswerRules(), ResourceRules(), metrics)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (BREAKER, OPEN),
        (Metric("gateway_circuit_breaker_state", {"component": "kubernetes"}, STATES), CLOSED),
        (Metric("gateway_circuit_breaker_state", {"component": "etcd"}, STATES), None),
        (Metric("gateway_alerts_received_total"), 15.5),
        (Metric("gateway_alerts_received_total", {"severity": "critical"}), 7.5),
        (Metric("gateway_alerts_received_total", {"severity": "critical", "namespace": "b"}), 4.5),
        (Metric("gateway_alerts_received"), None),
        (Metric("gateway_queue_length"), None),
        (Metric("gateway_limit"), None),
    ],
)
def test_metrics_are_summed_over_the_series_with_the_wanted_labels(
    metric: Metric, value: float | None
) -> None:
    """What is absent or not finite is left out, never zero: JSON has no NaN, and a sum with one is none."""
    assert read_metrics(EXPOSITION, {"it": metric}) == ({} if value is None else {"it": value})


@pytest.mark.parametrize("name", ["asked", "asked_total"])
def test_a_counter_is_found_with_and_without_its_suffix(name: str) -> None:
    """Only lines about the wanted metrics are parsed, and the parser adds `_total` to a counter's name."""
    text = f"# HELP other x\n# TYPE other gauge\nother 1\n# HELP {name} x\n# TYPE {name} counter\n{name} 3\n"

    assert read_metrics(text, {"it": Metric("asked_total")}) == {"it": 3.0}


@pytest.mark.parametrize(
    ("exposed", "state"),
    [("0", OPEN), ("1", CLOSED), ("2", None), ("5", HALF_OPEN), ("NaN", None)],
)
def test_a_state_is_read_by_the_numbers_of_the_release(exposed: str, state: float | None) -> None:
    """Whatever numbers it uses; one that it does not map passes for no state at all."""
    metric = Metric("breaker", {}, {"closed": 1.0, "open": 0.0, "half_open": 5.0})

    assert read_metrics(f"breaker {exposed}\n", {"it": metric}) == ({} if state is None else {"it": state})


@pytest.mark.parametrize(
    "text", ["<html>no</html>", "hello world", "a{", '{b="c"', "\x00\x01", '= {b="c",\t="e"} 1']
)
def test_what_is_no_exposition_is_refused(text: str) -> None:
    """With the one error that a probe expects."""
    with pytest.raises(ValueError):
        read_metrics(text, {"it": BREAKER})


@given(st.text(alphabet='gat_eway{}",=# \n\\1.\tNaé', max_size=40))
@example('# # TYPE x\ngat{b="c",\t="e"} 1\n')
def test_no_text_whatever_breaks_the_probe(text: str) -> None:
    """Values or a ValueError: anything else would end the run."""
    try:
        values = read_metrics(f"gateway_limit 1\n{text}", {"it": Metric("gateway_limit")})
    except ValueError:
        return
    json.dumps(values, allow_nan=False)


def misbehave(request: Request) -> None:
    """Answer by the path, its last word."""
    way = request.path.rpartition("/")[2]
    if way == "hangs":
        time.sleep(600)
    elif way == "resets":
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.close_connection = True
    elif way == "drips":
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        for _ in range(6000):
            request.wfile.write(b"#")
            time.sleep(0.1)
    elif way == "redirects":
        request.reply(302, Location="/good")
    else:
        content = {"garbage": b"<html>\xff\xfe", "infinite": b"gateway_queue_length NaN\n"}
        request.reply(503 if way == "fails" else 200, content.get(way, EXPOSITION.encode()))


WAYS = ("hangs", "resets", "drips", "redirects", "fails", "garbage", "infinite", "good")


def observe(base: str, refusing: str, record: str) -> list[str]:
    """Run probes until those that hang were asked twice; return what was told to the run."""
    failed: list[str] = []
    prober = Prober(RunClock(), LineFile(Path(record)), lambda problem: failed.append(repr(problem)))
    mapped = target({"breaker.redis": BREAKER, "queue": Metric("gateway_queue_length")})
    asked = {way: probes.questions(mapped, Endpoints(metrics_url=f"{base}/{way}"))[METRICS] for way in WAYS}
    for way in ("fails", "good"):
        asked[f"ready {way}"] = probes.questions(mapped, Endpoints(ready_url=f"{base}/{way}"))[READY]
    asked["refused"] = probes.questions(mapped, Endpoints(metrics_url=refusing))[METRICS]
    prober.start(asked)
    with gevent.Timeout(30):
        while len([o for o in seen(record) if o["probe"] in ("hangs", "drips")]) < 4 and not failed:
            gevent.sleep(0.05)
    prober.stop()
    after = len(seen(record))
    gevent.sleep(0.3)
    assert len(seen(record)) == after, "a stopped prober asks no more"
    return failed


def seen(record: str) -> list[dict[str, Any]]:
    """Return the observations that were written."""
    return [json.loads(line) for line in Path(record).read_text().splitlines()]


def test_bad_answers_are_failed_observations_and_delay_no_other_probe(tmp_path: Path) -> None:
    """Each probe has its own pace: those that hang are given up after the timeout, the others go on."""
    record = str(tmp_path / "observations.jsonl")
    with serving(misbehave) as base:
        refusing = f"http://127.0.0.1:{free_port()}/metrics"
        failed = patched_process.call("test_probes", "observe", base, refusing, record)
    by_probe: dict[str, list[dict[str, Any]]] = {}
    for line in seen(record):
        by_probe.setdefault(line["probe"], []).append(line)
    errors = {name: {line["error"] for line in lines} for name, lines in by_probe.items()}
    values = {name: lines[0]["values"] for name, lines in by_probe.items() if lines[0]["ok"]}

    assert failed == []
    assert values == {"good": {"breaker.redis": OPEN}, "infinite": {}, "ready good": {}}
    assert errors["drips"] == {"no answer in 1 s"}
    assert all("1" in error for error in errors["hangs"])
    assert errors["redirects"] == {"ProbeError: status 302"}
    assert errors["fails"] == errors["ready fails"] == {"ProbeError: status 503"}
    assert all(error.startswith("ValueError: ") for error in errors["garbage"])
    assert all("onnection" in error for error in errors["resets"] | errors["refused"])
    for name in ("hangs", "drips"):
        assert all(line["answered_s"] - line["asked_s"] > 0.9 for line in by_probe[name])
        assert len(by_probe["good"]) > 2 * len(by_probe[name])
        assert len(by_probe["ready good"]) > 2 * len(by_probe[name])


def test_a_record_that_cannot_grow_is_told_to_the_run(tmp_path: Path) -> None:
    """A probe that cannot write must not go on unseen."""
    failed: list[BaseException] = []
    record = LineFile(tmp_path / "observations.jsonl")

    def full(*_: object) -> None:
        raise RecordError("no space")

    record.append = full  # type: ignore[method-assign]
    prober = Prober(RunClock(), record, failed.append)
    prober.start({"always": lambda: {"one": 1.0}})
    with gevent.Timeout(10):
        while not failed:
            gevent.sleep(0.01)
    prober.stop()

    assert [str(problem) for problem in failed] == ["no space"]
