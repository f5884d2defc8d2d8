"""Alerts pushed to an Alertmanager: their bodies, who may take that way, and what it must answer first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from small_server import Request, serving

from chaos_hooks import alertmanager, answers, orders, planning, routing
from chaos_hooks.alertmanager import Alertmanager
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.exchange import Exchange
from chaos_hooks.options import TARGETS
from chaos_hooks.routing import RoutingError
from reports.history import Outcome
from reports.messenger import Pace
from shapes import push, scenario, scenario_file, target
from shapes.alerts import ID_ANNOTATION, Naming, Planned
from shapes.document import DocumentError, Node
from shapes.push import Push
from shapes.target import AnswerRules, Endpoints

NAMING = Naming("0badcafe")
CONFIG = """
route:
  receiver: other
  group_interval: 1m
  routes:
    - {receiver: gateway, group_wait: 1m30s}
    - receiver: gateway
      routes: [{group_interval: 500ms, matchers: [a="b"]}, {receiver: mail, group_interval: 1h}]
receivers: [{name: gateway, webhook_configs: [{url: <secret>}]}, {name: other}, {name: mail}]
"""
METRICS = """\
process_start_time_seconds 1.5
alertmanager_notifications_total{integration="webhook"} 4
alertmanager_notifications_total{integration="email"} 9
alertmanager_notifications_failed_total{integration="webhook",reason="clientError"} 1
alertmanager_notifications_failed_total{integration="webhook",reason="serverError"} 1
alertmanager_notification_requests_total{integration="webhook"} 8
alertmanager_notification_requests_failed_total{integration="webhook"} 6
"""


PLAIN = {
    "title": "t",
    "paces": {"quick": {"phases": [{"name": "load", "rate": "10/s", "for": "2s"}]}},
    "criteria": ["zero_loss"],
}


def parsed(**changes: Any) -> scenario.Scenario:
    """Return a scenario through an Alertmanager, with other top-level fields."""
    return scenario.parse(Node("s.yaml", "", {**PLAIN, "through": "alertmanager", **changes}), "s", "quick")


def test_a_push_has_the_labels_and_annotations_of_a_direct_post() -> None:
    """And fires until long after the run: what ends before it was delivered, Alertmanager drops."""
    planned = [Planned(n, n, "load", n / 2) for n in range(2)]
    body = json.loads(Push(NAMING, lambda at_s: f"T{at_s:g}", 3600.0).body(planned))
    direct = [json.loads(push.alerts.encoded(push.alerts.entry(NAMING, one, str))) for one in planned]

    assert [(one["labels"], one["annotations"]) for one in body] == [
        (d["labels"], d["annotations"]) for d in direct
    ]
    assert [(one["startsAt"], one["endsAt"]) for one in body] == [("T0", "T3600"), ("T0.5", "T3600")]
    assert body[1]["annotations"][ID_ANNOTATION] == "0badcafe-0000001"
    assert set(body[0]) == {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"alert": {"repeat": "20%"}}, "alert.repeat"),
        ({"alert": {"resolved": "20%"}}, "alert.resolved"),
        ({"alert": {"unusable": "20%"}}, "alert.unusable"),
        ({"sender": "alertmanager"}, "only acts like one"),
        ({"through": "carrier-pigeon"}, "there are: alertmanager"),
        (
            {
                "paces": {
                    "quick": {
                        "phases": [
                            {"name": "a", "rate": "1/s", "for": "1s"},
                            {"name": "b", "pattern": "duplicates", "count": 3, "for": "1s"},
                        ]
                    }
                }
            },
            "pattern duplicates",
        ),
    ],
)
def test_what_it_would_merge_or_hide_is_refused(changes: dict[str, Any], named: str) -> None:
    """Equal labels are one alert to it, so a join by id would find losses that are none."""
    with pytest.raises(DocumentError, match=r"s\.yaml: through: ") as refused:
        parsed(**changes)
    assert named in str(refused.value)


def test_a_scenario_file_keeps_it() -> None:
    """Written and read again it is the same."""
    told = parsed()
    relayed = parsed(relay=True)
    again = [
        scenario.parse(Node("s.yaml", "", yaml.safe_load(scenario_file.text(each))), "s", "quick")
        for each in (told, relayed)
    ]
    assert [(each.through, each.relayed) for each in again] == [
        ("alertmanager", False),
        ("alertmanager", True),
    ]
    with pytest.raises(DocumentError, match="relay: needs 'through: alertmanager'"):
        scenario.parse(Node("s.yaml", "", {**PLAIN, "relay": True}), "s", "quick")


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [(200, Outcome.ACKED, "pushed"), (400, Outcome.REJECTED, "unsafe"), (500, Outcome.REJECTED, "safe")],
)
def test_its_answer_has_no_words(status: int, outcome: Outcome, kind: str) -> None:
    """A 200 without a body is all that it says: it took them."""
    rules = AnswerRules(acked={}, bodiless=push.PUSHED)
    found = answers.read(Exchange("done", 0.0, 0.1, status, b"", ""), ["a", "b"], rules)
    assert [(each.outcome, each.kind) for each in found] == [(outcome, kind)] * 2


def test_the_orders_lead_to_it_and_leave_the_gateways_token_out() -> None:
    """Nor does a trace begin that would end at Alertmanager; as messages carry them, too."""
    told = parsed()
    mine = replace(target.find(TARGETS, "sandbox"), headers={"Authorization": "Bearer secret"})
    direct = orders.orders("r", NAMING, told, mine, "http://gateway", traced=True)
    found = Alertmanager("http://am:9093", "gateway", "0.25.0", Pace(0, 5)).orders(direct, told)

    assert (found.url, found.headers, found.traced) == ("http://am:9093/api/v2/alerts", {}, False)
    assert found.pushed_until_s == 2.0 + push.FIRES_S
    assert orders.from_wire(json.loads(json.dumps(orders.to_wire(found)))) == found


def test_its_configuration_tells_how_long_alerts_wait() -> None:
    """The longest over all routes to it; what a route does not say is its parent's, or the default."""
    assert routing.receivers(CONFIG) == {"gateway"}
    assert routing.longest(CONFIG, "gateway") == (90.0, 60.0)
    assert routing.longest("route: {receiver: gateway}", "gateway") == (30.0, 300.0)
    with pytest.raises(RoutingError, match="no route leads"):
        routing.longest(CONFIG, "nobody")
    for broken in ("", "[", "route: {receiver: gateway, group_wait: soon}"):
        with pytest.raises(RoutingError):
            routing.longest(broken, "gateway")


def test_only_webhooks_are_counted() -> None:
    """Over all other labels, which differ from version to version."""
    assert alertmanager.read_metrics(METRICS) == {
        "process_start": 1.5,
        "notifications": 4.0,
        "notifications_failed": 2.0,
        "tries": 8.0,
        "tries_failed": 6.0,
    }


@pytest.fixture
def held() -> list[dict[str, Any]]:
    """What the Alertmanager of `url` holds."""
    labels = {"alertname": "A", "pod": "chaos-0badcafe-0000000"}
    plain = {"labels": labels, "annotations": {}, "startsAt": "t", "generatorURL": "g"}
    return [
        {**plain, "receivers": [{"name": "gateway"}], "status": {"state": "active"}},
        {**plain, "receivers": [{"name": "mail"}], "status": {"state": "suppressed"}},
    ]


@pytest.fixture
def posted() -> list[Any]:
    """What was posted to the Alertmanager of `url`."""
    return []


@pytest.fixture
def url(held: list[dict[str, Any]], posted: list[Any]) -> Iterator[str]:
    def answer(request: Request) -> None:
        if request.command == "POST":
            posted.append(json.loads(request.content()))
            return request.reply(200)
        if request.path == "/api/v2/status":
            peers = [{"name": "a"}, {"name": "b"}]
            told = {
                "config": {"original": CONFIG},
                "versionInfo": {"version": "0.27.0"},
                "cluster": {"peers": peers},
            }
            return request.reply(200, json.dumps(told))
        if request.path.startswith("/api/v2/alerts?filter=pod%3D~%22chaos-0badcafe-.%2A%22"):
            return request.reply(200, json.dumps(held))
        return request.reply(404)

    with serving(answer) as at:
        yield at


def test_it_tells_who_it_is_and_what_it_holds(url: str, posted: list[Any]) -> None:
    """A peer waits 15 s for the one before it; what is not routed to the Gateway, or silenced, is told."""
    found = alertmanager.connect(Endpoints(alertmanager_url=f"{url}/", alertmanager_receiver="gateway"))

    assert found == Alertmanager(url, "gateway", "0.27.0", Pace(105.0, 60.0))
    assert found.held(NAMING, RunClock()).values == {"held": 2.0, "routed": 1.0, "unsuppressed": 1.0}
    said: list[str] = []
    found.dismiss(NAMING, RunClock(), said.append)
    assert (said, len(posted[0]), {one["endsAt"][:2] for one in posted[0]}) == ([], 2, {"20"})


def test_what_cannot_be_is_refused_before_the_first_alert(url: str) -> None:
    """With the place and, of receivers, those that there are."""
    for endpoints, named in (
        (Endpoints(), "endpoints.alertmanager_url: is missing"),
        (Endpoints(alertmanager_url=url, alertmanager_receiver="mail"), "there are: gateway"),
        (Endpoints(alertmanager_url=f"{url}/elsewhere", alertmanager_receiver="gateway"), "404"),
        (
            Endpoints(alertmanager_url="http://127.0.0.1:1", alertmanager_receiver="gateway"),
            "ConnectionError",
        ),
    ):
        with pytest.raises(SetupError, match=r"endpoints\.alertmanager_") as refused:
            alertmanager.connect(endpoints)
        assert named in str(refused.value)


def test_it_is_skipped_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program on PATH, no URL in the target file, or no criterion that could be decided."""
    sandbox = target.find(TARGETS, "sandbox")
    monkeypatch.setenv("PATH", "")
    assert "Debian's package" in alertmanager.lacks(parsed(), sandbox)
    assert "names no Alertmanager" in alertmanager.lacks(parsed(), replace(sandbox, start=None))
    there = replace(sandbox, endpoints=Endpoints(alertmanager_url="http://am"))
    assert alertmanager.lacks(parsed(), there) == ""
    assert "none of its criteria" in alertmanager.lacks(parsed(criteria=["safe_rejections"]), there)
    assert alertmanager.lacks(replace(parsed(), through=""), sandbox) == ""
    assert "a relay can only stand" in alertmanager.lacks(parsed(relay=True), replace(there, start=None))
    assert set(push.NOT_ASKED) - set(push.not_asked(True)) == {"safe_rejections", "refusal_status"}
    assert planning.alertmanager is alertmanager  # The planner asks.
