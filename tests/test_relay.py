"""The relay behind an Alertmanager: a POST goes on once, its answer comes back, and each alert's is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import histories
import pytest
import requests
from kubernetes_api_server import free_port
from plan_histories import FAIL, PASS, UNKNOWN, answer
from small_server import Request, serving

from chaos_hooks.clock import RunClock
from chaos_hooks.line_file import LineFile
from chaos_hooks.relay import Relay
from chaos_hooks.sender import Sender
from reports import deliveries, messenger
from reports.history import History, Outcome, Try
from shapes import alerts
from shapes.alerts import Naming, Planned
from shapes.target import AnswerRules

NAMING = Naming("0badcafe")
BODY = alerts.body(NAMING, [Planned(n, n, "load", 0.0) for n in (3, 4)], lambda _: "2026-11-26T12:00:00Z")


Kept = dict[int, tuple[Try, ...]]


def post(url: str, body: bytes) -> requests.Response:
    """Post as another process does: in a thread, while the relay's loop goes on."""
    return gevent.get_hub().threadpool.apply(requests.post, (url,), {"data": body, "timeout": 10})


def relayed(tmp_path: Path, url: str, *bodies: bytes) -> tuple[list[requests.Response], Kept]:
    """Post through a relay; return the answers, and what was kept by alert."""
    clock = RunClock()
    relay = Relay(NAMING, clock)
    early = post(f"{relay.url}/path", BODY)
    assert early.status_code == 503
    sender = Sender(f"{url}/path", headers={}, connect_timeout_s=2.0, answer_timeout_s=5.0, clock=clock.now)
    relay.open(sender, AnswerRules(), LineFile(tmp_path / deliveries.FILE))
    try:
        got = [post(f"{relay.url}/path", body) for body in bodies]
    finally:
        relay.close()
    lines = [json.loads(line) for line in (tmp_path / deliveries.FILE).read_text().splitlines()]
    return got, deliveries.of(lines)


def test_what_goes_on_and_comes_back_is_the_same(tmp_path: Path) -> None:
    """Body and path there, status and body back; each alert has the answer that speaks of it. What is no
    webhook is handed on, and kept of no alert; nor is another run's, or a resolved one."""
    seen: list[Any] = []
    results = {"results": [{"status": "created"}, {"status": "failed", "error": "full"}]}

    def gateway(request: Request) -> None:
        seen.append((request.path, request.content()))
        request.reply(207, json.dumps(results), Content_Type="application/json")

    other = alerts.body(Naming("deadbeef"), [Planned(3, 3, "load", 0.0)], lambda _: "2026-11-26T12:00:00Z")
    ended = alerts.body(NAMING, [Planned(5, 3, "load", 1.0, fired_s=0.0)], lambda _: "2026-11-26T12:00:00Z")
    with serving(gateway) as url:
        got, kept = relayed(tmp_path, url, BODY, b"[1]", b"{", other, ended)

    assert seen == [("/path", body) for body in (BODY, b"[1]", b"{", other, ended)]
    assert [(each.status_code, each.json()) for each in got] == [(207, results)] * 5
    assert set(kept) == {3, 4}
    assert [(t.outcome, t.kind, t.status) for n in (3, 4) for t in kept[n]] == [
        (Outcome.ACKED, "created", 207),
        (Outcome.REJECTED, "unsafe", 207),
    ]


def test_no_answer_is_one_that_alertmanager_tries_again(tmp_path: Path) -> None:
    """A refused connection is 502 to it, and UNSENT in the record, each time."""
    got, kept = relayed(tmp_path, f"http://127.0.0.1:{free_port()}", BODY, BODY)
    assert [each.status_code for each in got] == [502, 502]
    assert [(t.outcome, t.status) for t in kept[3]] == [(Outcome.UNSENT, None)] * 2


def told(kept: Kept | None, between: bool = True) -> History:
    """Return a run of two alerts that were taken, with what a relay saw of them."""
    facts = {messenger.FACT: "Alertmanager"} if between else {}
    plain = histories.history(run=histories.run(planned=2, target_facts=facts))
    return replace(
        plain, attempts=tuple(histories.attempt(n, kind="pushed") for n in range(2)), deliveries=kept
    )


TAKEN = Try(Outcome.ACKED, "created", 1.0, 1.0, 1.1, 201)
BUSY = Try(Outcome.REJECTED, "unsafe", 0.5, 0.5, 0.6, 429, "HTTP 429")
AWAY = Try(Outcome.REJECTED, "safe", 0.5, 0.5, 0.6, 503, "HTTP 503")
REFUSED = Try(Outcome.UNSENT, "connect", 0.5, None, 0.6, None, "connect: Connection refused")


@pytest.mark.parametrize("criterion", ["safe_rejections", "refusal_status"])
def test_the_gateways_answers_are_judged_and_not_alertmanagers(criterion: str) -> None:
    """As far as a relay saw them; without one nobody knows, however well Alertmanager took them."""
    assert answer(criterion, told({0: (AWAY, TAKEN), 1: (REFUSED, TAKEN)}))[0] is PASS
    assert answer(criterion, told(None))[0] is UNKNOWN
    assert answer(criterion, told({}))[0] is UNKNOWN
    assert answer(criterion, told(None, between=False))[0] is PASS


def test_a_429_to_alertmanager_is_convicted() -> None:
    """Although the alert was taken later."""
    status, got = answer("safe_rejections", told({0: (BUSY, TAKEN), 1: (TAKEN,)}))
    assert (status, got) == (FAIL, "1 refused unsafely (1 with 429)")


def test_a_story_tells_how_an_alert_got_there() -> None:
    """Or that it never did."""
    seen = told({0: (REFUSED, TAKEN)})
    assert deliveries.words(seen, 0) == "2 times by Alertmanager, last at 1.000 s: 201 created"
    assert deliveries.words(told({0: (REFUSED,)}), 0).endswith("last at 0.500 s: connect: Connection refused")
    assert deliveries.words(seen, 1) == "never, as far as the relay saw"
    assert deliveries.words(told(None), 0) == ""
