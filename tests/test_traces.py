"""Traces: a POST carries the context that its alert's id makes; a report leads from the id to the trace."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import histories
import pytest
import yaml
from kubernetes_api_server import running_server
from locust_process import locust
from small_server import Request, serving

from chaos_hooks import options, traceparent
from chaos_hooks.errors import SetupError
from reports import offenders, traces, writing
from reports.formats import html, markdown
from reports.history import History, Outcome
from reports.rows import rows
from reports.verdict import judge
from shapes import alerts, trace
from shapes.alerts import ID_ANNOTATION, Naming, Planned

# printf %s k3x9-0000001 | sha256sum
DIGEST = "e75005551f17d6863cada68e926b23cc2350bea8b817526f35390bb2d860d84c"


def test_the_context_is_made_from_the_id_alone() -> None:
    """As W3C has it: version, 16 bytes of trace, 8 of span, sampled."""
    assert trace.parent("k3x9-0000001") == f"00-{DIGEST[:32]}-{DIGEST[32:48]}-01"
    assert trace.trace_id("k3x9-0000001") == DIGEST[:32]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace.parent("k3x9-0000002"))


@pytest.mark.parametrize("per_post", [1, 3])
def test_a_post_carries_that_of_its_first_alert(per_post: int) -> None:
    """Whatever the others are; a body without an alert carries none."""
    planned = [Planned(n + 1, n + 1, "chaos", 1.0) for n in range(per_post)]
    body = alerts.body(Naming("k3x9"), planned, str)

    assert traceparent.header(body) == f"traceparent: {trace.parent('k3x9-0000001')}\r\n".encode()
    assert traceparent.header(b"{}") == b""


def traced(facts: dict[str, str], per_post: int = 1) -> History:
    """Return a run of six alerts, all acknowledged and lost, so many of them in a POST."""
    acked = tuple(
        histories.attempt(n, Outcome.ACKED, due_s=float(n // per_post), sent_s=n // per_post + 0.001)
        for n in range(6)
    )
    run = histories.run(target_facts=facts, planned=6)
    return histories.history(attempts=acked, resources=(), run=run)


JAEGER = {"traceparent": "one for each POST", "jaeger": "http://jaeger:16686/ui?a=(b)"}


def test_a_report_links_to_the_traces_of_lost_alerts() -> None:
    """Where the run was told of a Jaeger; else it gives the trace's id, and where none was sent nothing."""
    told = traced(JAEGER)
    trace_id = trace.trace_id("k3x9-0000000")
    link = f"http://jaeger:16686/ui?a=%28b%29/trace/{trace_id}"
    plain = traced({"traceparent": "one for each POST"})

    assert offenders.stories(told, judge(told))[0].trace_link == link
    assert f'<a href="{link}" rel="noreferrer noopener">{trace_id}</a>' in html.render(told, judge(told))
    assert f"- `k3x9-0000000`: [{trace_id}]({link})\n" in markdown.render(told, judge(told))
    assert f"- `k3x9-0000000`: `{trace_id}`\n" in markdown.render(plain, judge(plain))
    assert f"<dt>trace</dt><dd>{trace_id}" in html.render(plain, judge(plain))
    assert trace_id not in html.render(traced({}), judge(traced({})))
    assert trace_id not in markdown.render(traced({}), judge(traced({})))


@pytest.mark.parametrize(
    "base",
    [
        "javascript:alert(1)//",
        "file:///etc/passwd",
        "//jaeger",
        "http://",
        "http://u:p@jaeger",
        "http://a b",
        "http://[::1",
    ],
)
def test_what_is_no_web_address_becomes_no_link(base: str) -> None:
    """It is refused before a run; in a record that somebody else wrote, the trace is only named."""
    told = traced({**JAEGER, "jaeger": base})
    assert offenders.stories(told, judge(told))[0].trace_link == ""
    assert "noreferrer noopener" not in html.render(told, judge(told))
    with pytest.raises(SetupError, match="--chaos-jaeger-url"):
        traceparent.facts(replace(options.ungiven(), jaeger_url=base), between=False)


def test_the_alerts_of_one_post_share_its_trace() -> None:
    """By the record: due, begun and sent together, one after the other; one that was never sent has none."""
    told = traced(JAEGER, per_post=3)
    unsent = replace(
        told, attempts=(replace(told.attempts[0], sent_s=None, outcome=Outcome.UNSENT), *told.attempts[1:])
    )
    volley = replace(told, attempts=tuple(replace(a, volley=1) for a in told.attempts))

    def leaders(of: History) -> list[int]:
        return [first for _, first in traces.leaders(of.attempts)]

    assert leaders(told) == [0, 0, 0, 3, 3, 3]
    assert leaders(unsent) == [1, 1, 3, 3, 3]
    assert leaders(volley) == [0, 1, 2, 3, 4, 5]
    story = offenders.stories(told, judge(told))[1]
    assert (story.alert_id, story.trace_id) == ("k3x9-0000001", trace.trace_id("k3x9-0000000"))
    assert story.trace_words == "of its POST, made from k3x9-0000000"
    assert [row["trace_id"] for row in rows(told, judge(told))][1::3] == [
        trace.trace_id("k3x9-0000000"),
        trace.trace_id("k3x9-0000003"),
    ]
    assert {row["trace_id"] for row in rows(traced({}), judge(traced({})))} == {""}


def test_a_run_that_sends_none_records_none() -> None:
    """Without the option, or where an Alertmanager stands between, which does not hand it on."""
    asked = replace(options.ungiven(), traceparent=True, jaeger_url="http://jaeger/")
    assert traceparent.facts(asked, between=False)["jaeger"] == "http://jaeger"
    assert traceparent.facts(asked, between=True) == {}
    assert traceparent.facts(replace(asked, traceparent=False), between=False) == {}


def test_a_real_run_sends_them(tmp_path: Path) -> None:
    """To a Gateway that drops everything: each lost alert's trace is the one that its POST had."""
    got: dict[str, str | None] = {}

    def gateway(request: Request) -> None:
        body = request.content()
        if request.command == "GET":
            return request.reply(200, "up 1\n")
        posted: Any = json.loads(body)["alerts"]
        for alert in posted:
            got[alert["annotations"][ID_ANNOTATION]] = request.headers["traceparent"]
        answer = json.dumps({"results": [{"status": "created"} for _ in posted]})
        return request.reply(201, answer, Content_Type="application/json")

    plan = {
        "title": "a load",
        "alert": {"per_post": 3},
        "paces": {"quick": {"phases": [{"name": "load", "rate": "12/s", "for": "1s"}], "settle": "1s"}},
        "criteria": ["zero_loss"],
    }
    (tmp_path / "api").mkdir()
    with running_server(tmp_path / "api") as server, serving(gateway) as url:
        namespace = server.new_namespace()
        target = {
            "title": "drops",
            "endpoints": {"gateway_url": url, "kubeconfig": str(server.kubeconfig), "namespace": namespace},
        }
        (tmp_path / "load.yaml").write_text(yaml.safe_dump(plan))
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(target))
        with locust(
            tmp_path / "runs",
            *("--headless", "--chaos-scenario", str(tmp_path / "load.yaml")),
            *("--chaos-target", str(tmp_path / "mine.yaml")),
            *("--chaos-traceparent", "--chaos-jaeger-url", "http://127.0.0.1:16686/"),
        ) as process:
            ended = process.wait()
            folder = process.run_folder()
    told = writing.read_run(folder)
    named = {str(row["id"]): row["trace_id"] for row in rows(told, judge(told))}

    assert ended.code == 1, ended.output
    assert (len(got), len(set(got.values()))) == (12, 4)
    assert named == {alert_id: str(parent).split("-")[1] for alert_id, parent in got.items()}
    shown = [f"http://127.0.0.1:16686/trace/{trace_id}" for trace_id in list(named.values())[:5]]
    for text in ((folder / "report.html").read_text(), (folder / "report.md").read_text()):
        assert all(link in text for link in shown)
