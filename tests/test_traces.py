"""Traces: a POST carries the context that its alert's id makes; a report leads from the id to the trace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import histories
import pytest
import yaml
from kubernetes_api_server import running_server
from locust_process import locust, verdict
from small_server import Request, serving

from chaos_hooks import traceparent
from reports import offenders
from reports.history import Outcome
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


def test_a_report_links_to_the_traces_of_lost_alerts() -> None:
    """Where the run was told of a Jaeger; else it names none."""
    acked = [histories.attempt(n, Outcome.ACKED) for n in range(3)]

    def lines(facts: dict[str, str]) -> dict[str, str]:
        told = histories.history(attempts=tuple(acked), resources=(), run=histories.run(target_facts=facts))
        return dict(offenders.stories(told, judge(told))[0].lines)

    expected = f"http://jaeger:16686/trace/{trace.trace_id('k3x9-0000000')}"
    assert lines({"jaeger": "http://jaeger:16686"})["trace"] == expected
    assert "trace" not in lines({})


def test_a_real_run_sends_them(tmp_path: Path) -> None:
    """To a Gateway that drops everything: the lost alert's link has the trace that its POST had."""
    got: dict[str, str | None] = {}

    def gateway(request: Request) -> None:
        body = request.content()
        if request.command == "GET":
            return request.reply(200, "up 1\n")
        alert: Any = json.loads(body)["alerts"][0]
        got[alert["annotations"][ID_ANNOTATION]] = request.headers["traceparent"]
        return request.reply(201, '{"status": "created"}', Content_Type="application/json")

    plan = {
        "title": "a load",
        "paces": {"quick": {"phases": [{"name": "load", "rate": "10/s", "for": "1s"}], "settle": "1s"}},
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
    lost = verdict(folder)["account"]["lost_ids"][0]

    assert ended.code == 1, ended.output
    assert len(got) == 10
    assert got == {alert_id: trace.parent(alert_id) for alert_id in got}
    assert f"http://127.0.0.1:16686/trace/{trace.trace_id(lost)}" in (folder / "report.html").read_text()
