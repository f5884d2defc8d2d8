"""A real Alertmanager posts what ours posts, and tries again when our retry mode does."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import real_tools
import requests
import yaml
from kubernetes_api_server import free_port

from shapes import alerts, backoff
from shapes.alerts import Naming, Planned

PROGRAM = real_tools.find("prometheus-alertmanager") or real_tools.find("alertmanager")
pytestmark = pytest.mark.skipif(
    not PROGRAM, reason="needs the real prometheus-alertmanager; `make real` installs what it can"
)

FLUSH_S = 6.0  # group_interval of the routes whose flushes are awaited
FAILING_FLUSH_S = 11.0  # the same where tries go on: Alertmanager lets no flush end before 10 s
LONG_S = 120.0  # of those where only what comes before is looked at
SLACK_S = 0.4  # for the machine: a try is due after its backoff, and comes a little later
BEHAVIOURS = {
    "ok": FLUSH_S,
    "503": LONG_S,
    "500": FAILING_FLUSH_S,
    "429": FLUSH_S,
    "400": FLUSH_S,
    "207": FLUSH_S,
}
BEHAVIOURS |= {"cut": LONG_S, "hang": LONG_S, "refused": LONG_S}


@dataclass
class Receiver:
    """What Alertmanager posted, by path: when, with which headers, and the body."""

    posts: dict[str, list[tuple[float, dict[str, str], Any]]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def times(self, behaviour: str) -> list[float]:
        """Return when each try came, in seconds since the first."""
        found = [at for at, _, _ in self.posts.get(behaviour, [])]
        return [at - found[0] for at in found]


@contextmanager
def serving(receiver: Receiver, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            at, behaviour = time.monotonic(), self.path.strip("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.posts.setdefault(behaviour, []).append((at, dict(self.headers.items()), body))
            if behaviour == "hang":
                receiver.over.wait(60)
            if behaviour in ("hang", "cut"):
                self.close_connection = True
                return
            self.send_response(int(behaviour) if behaviour.isdecimal() else 200)
            self.send_header("Retry-After", "3")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def config(ports: dict[str, int]) -> dict[str, Any]:
    """Return a route and a receiver for each behaviour."""
    routes = [
        {"receiver": name, "matchers": [f'behaviour="{name}"'], "group_interval": f"{int(interval_s)}s"}
        for name, interval_s in BEHAVIOURS.items()
    ]
    receivers = [
        {"name": name, "webhook_configs": [{"url": f"http://127.0.0.1:{ports[name]}/{name}"}]}
        for name in BEHAVIOURS
    ]
    group = {"group_by": ["alertname", "namespace"], "group_wait": "0s", "repeat_interval": "1h"}
    return {"route": {"receiver": "ok", **group, "routes": routes}, "receivers": receivers}


def alert(behaviour: str) -> dict[str, Any]:
    labels = {
        "alertname": "PodCrashed",
        "namespace": "prod-api",
        "pod": f"chaos-{behaviour}",
        "severity": "critical",
    }
    now = datetime.now(UTC)
    return {
        "labels": {**labels, "behaviour": behaviour},
        "annotations": {alerts.ID_ANNOTATION: "x", "summary": "PodCrashed"},
        "startsAt": (now - timedelta(seconds=60)).isoformat(),
        "endsAt": (now + timedelta(minutes=10)).isoformat(),
        "generatorURL": "http://alertstorm.invalid/graph",
    }


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """All behaviours at once, watched for a little more than two flushes."""
    folder, got = tmp_path_factory.mktemp("alertmanager"), Receiver()
    # A port of its own where connections are cut: on a kept one, Alertmanager's client posts again at once.
    port, web, late, cut = (free_port() for _ in range(4))
    ports = dict.fromkeys(BEHAVIOURS, port) | {"refused": late, "cut": cut}
    (folder / "config.yml").write_text(yaml.safe_dump(config(ports)))
    base = f"http://127.0.0.1:{web}"
    command = [PROGRAM, f"--config.file={folder / 'config.yml'}", f"--storage.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{web}", "--cluster.listen-address="]
    with (
        serving(got, port),
        serving(got, cut),
        real_tools.running(command, folder / "log", lambda: _ready(base)),
    ):
        answer = requests.post(f"{base}/api/v2/alerts", json=[alert(name) for name in BEHAVIOURS], timeout=10)
        assert answer.ok, answer.text
        real_tools.until(lambda: len(got.posts.get("503", [])) >= 3)
        with serving(got, late):  # Until now nobody listened there.
            real_tools.until(lambda: len(got.posts.get("400", [])) >= 3 and "refused" in got.posts)
            real_tools.until(lambda: quick_again(got.times("500")))
        yield got
        got.over.set()


def quick_again(times: list[float]) -> bool:
    """Whether two tries about the second flush are as close as the first two of a flush are."""
    most_s = backoff.INITIAL_S * (1 + backoff.JITTER) + SLACK_S
    late = [at for at in times if at >= FAILING_FLUSH_S - 2]
    return any(after - before <= most_s for before, after in itertools.pairwise(late))


def _ready(base: str) -> bool:
    try:
        return requests.get(f"{base}/-/ready", timeout=2).ok
    except requests.ConnectionError:
        return False


def shape(value: Any) -> Any:
    """Return keys and types, and nothing of the values."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def test_our_posts_have_the_same_structure(receiver: Receiver) -> None:
    """The same keys in the same places with values of the same types; only its routing label is not ours."""
    _, headers, real = receiver.posts["ok"][0]
    planned = [Planned(0, 0, "baseline", 0.0)]
    ours = json.loads(alerts.body(Naming("0123abcd"), planned, lambda _: "2026-11-26T12:00:00Z"))
    for labels in (real["alerts"][0]["labels"], real["commonLabels"]):
        del labels["behaviour"]

    assert shape(ours) == shape(real)
    assert ours["version"] == real["version"] == "4"
    assert ours["groupKey"].partition("{alertname")[2] == real["groupKey"].partition("{alertname")[2]
    assert real["alerts"][0]["endsAt"] == ours["alerts"][0]["endsAt"]  # Still firing: Go's zero time.
    assert set(headers) - {"Accept-Encoding"} == {"Host", "User-Agent", "Content-Length", "Content-Type"}
    assert headers["Content-Type"] == "application/json"


def test_our_fingerprint_is_its(receiver: Receiver) -> None:
    """Of labels that a real Alertmanager has fingerprinted itself."""
    found = receiver.posts["503"][0][2]["alerts"][0]
    assert alerts.fingerprint(found["labels"]) == found["fingerprint"]


@pytest.mark.parametrize("behaviour", ["503", "cut"])
def test_a_failure_is_tried_again_with_jittered_backoff(behaviour: str, receiver: Receiver) -> None:
    """Each wait lies within what the retry mode draws from; Retry-After, 3 s here, is ignored."""
    times = receiver.times(behaviour)
    waits = [after - before for before, after in itertools.pairwise(times)]

    assert len(waits) >= 2
    for step, wait_s in enumerate(waits):
        middle_s = min(backoff.MAX_S, backoff.INITIAL_S * backoff.MULTIPLIER**step)
        assert middle_s * (1 - backoff.JITTER) - 0.05 <= wait_s
        assert wait_s <= middle_s * (1 + backoff.JITTER) + SLACK_S
    assert backoff.reply(503) is backoff.reply(None) is backoff.Reply.FAILED


def test_a_refused_connection_is_tried_again(receiver: Receiver) -> None:
    """It came as soon as somebody listened, long before the next flush."""
    assert receiver.posts["refused"]


@pytest.mark.parametrize("behaviour", ["429", "400"])
def test_a_refusal_is_tried_again_at_the_next_flush_only(behaviour: str, receiver: Receiver) -> None:
    """Once each group_interval, as the retry mode does after a 4xx."""
    policy = backoff.Policy(FLUSH_S, 1000.0, seed=1)
    times = receiver.times(behaviour)[:3]
    notification, expected = backoff.Notification(policy, 0, 0.0), [0.0]
    while len(expected) < len(times):
        at_s = notification.again_s(expected[-1], expected[-1], backoff.reply(int(behaviour)))
        assert at_s is not None
        expected.append(at_s)

    assert len(times) >= 2
    # Alertmanager's first try may come a second after its flush began.
    assert times == pytest.approx(expected, abs=1.5)


def test_a_failure_begins_anew_at_the_next_flush(receiver: Receiver) -> None:
    """The backoff, by then more than 2 s between tries, is short again: the flush is a new one."""
    times = receiver.times("500")
    assert len([at for at in times if at < FAILING_FLUSH_S - 2]) >= 4
    assert quick_again(times)


@pytest.mark.parametrize("behaviour", ["ok", "207"])
def test_a_success_is_not_tried_again(behaviour: str, receiver: Receiver) -> None:
    """Whatever the body says of single alerts."""
    assert len(receiver.posts[behaviour]) == 1
    assert backoff.reply(207) is backoff.Reply.TAKEN


def test_a_hanging_answer_is_waited_for(receiver: Receiver) -> None:
    """No second try while the first is on, as in the retry mode."""
    assert len(receiver.posts["hang"]) == 1


def test_nothing_listens_where_refusal_is_tried() -> None:
    """A port that is free refuses: otherwise the test above would show nothing."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()), timeout=5)
