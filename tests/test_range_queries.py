"""Metric series over the run: asked by range queries, kept with gaps and errors, told and never judged."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import histories
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_api_server import free_port
from small_server import Request, serving

from chaos_hooks import options, range_queries
from chaos_hooks.clock import RunClock
from chaos_hooks.promql import Prometheus
from reports import series, strips, writing
from reports.formats import html, markdown
from reports.history import History
from reports.ranges import Curve, Ranges, Series
from reports.verdict import judge
from shapes import target
from shapes.target import Metric, Target

SANDBOX = target.find(options.TARGETS, "sandbox")
ZERO = 1_772_366_400.25
ASKED = Ranges("Prometheus at http://p", 0.75, 10.75, 1.0)


def test_what_is_asked() -> None:
    """Breakers, queues and rates that the target maps, and what its file asks for; no other."""
    metrics = {
        "breaker.redis": Metric("state", {"c": 'a"b'}, {"closed": 0.0, "open": 2.0}),
        "k8s_queue": Metric("queue"),
        "received": Metric("received_total"),
        "fallbacks": Metric("fallbacks_total"),
    }
    assert series.wanted(metrics, {"p95": "f(rate(b[$window]))"}, "60s") == [
        ("breaker of redis (0 closed, 2 open)", 'state{c="a\\"b"}'),
        ("requests queued for the Kubernetes API", "queue"),
        ("alerts received a second", "sum(rate(received_total[60s]))"),
        ("p95", "f(rate(b[60s]))"),
    ]
    names = [name for name, _ in series.wanted(SANDBOX.metrics, SANDBOX.series, "4s")]
    assert {"latency p95 (s)", "Redis memory (bytes)"} < set(names)
    assert sum(name.startswith("breaker of ") for name in names) == 2


def test_the_window_is_the_run() -> None:
    """On whole seconds, as the client rounds it; a long run in longer steps, none beyond its end."""
    prometheus = Prometheus("http://127.0.0.1:1")
    found = range_queries.ranges(prometheus, ZERO, 10.9)
    long = range_queries.ranges(prometheus, ZERO, 4000.0)

    assert (found.from_s, found.to_s, found.step_s) == (0.75, 10.75, 1.0)
    assert (long.from_s, long.step_s, (long.to_s - long.from_s) % long.step_s) == (0.75, 7.0, 0.0)
    assert 3990.0 < long.to_s <= 4000.0
    assert range_queries.ranges(prometheus, ZERO, 0.1).to_s == 0.75


def test_a_curve_with_its_gaps() -> None:
    """On the run's clock; where Prometheus knew nothing is a gap; what is no number stays a point."""
    values = [[ZERO + at_s, text] for at_s, text in ((0.75, "1"), (1.75, "NaN"), (2.75, "3"), (6.75, "0.5"))]
    found = series.curve({"b": "2", "a": "1", "job": "j", "__name__": "n"}, values, ASKED, ZERO)

    assert found == Curve(
        "a=1, b=2", ((0.75, 1.0), (1.75, None), (2.75, 3.0), (6.75, 0.5)), ((2.75, 6.75), (6.75, 10.75))
    )
    assert found.words == "0.5 to 3, at the end 0.5; 3 points, none in 3 s to 7 s, 7 s to 11 s"
    assert series.curve({}, [], ASKED, ZERO).gaps == ((0.75, 10.75),)
    assert series.curve({}, [], ASKED, ZERO).words == "no number in it"


@given(st.lists(st.integers(0, 10), unique=True).map(sorted), st.data())
def test_points_and_gaps_together_cover_the_window(at: list[int], data: st.DataObject) -> None:
    """Every step is a point or lies in a gap, and no gap holds a point but at its edges."""
    values = [[ZERO + 0.75 + k, data.draw(st.sampled_from(["1", "NaN", "-2.5", "+Inf"]))] for k in at]
    found = series.curve({}, values, ASKED, ZERO)
    steps = [0.75 + k for k in range(11)]
    inside = [s for s in steps if any(a <= s <= b for a, b in found.gaps)]

    assert {s for s, _ in found.points} | set(inside) == set(steps)
    assert not any(a < s < b for s, _ in found.points for a, b in found.gaps)


def matrix(*rows: dict[str, Any]) -> dict[str, Any]:
    """Return a range vector as Prometheus answers it."""
    return {"status": "success", "data": {"resultType": "matrix", "result": list(rows)}}


def test_each_answer_is_kept_or_its_error_told(tmp_path: Path) -> None:
    """Over the wire, into the run's folder and back; the rate's window is four of the Gateway's scrapes."""
    now = time.time()
    clock = RunClock()
    clock.start_at(time.monotonic() - 10.9, now - 10.9)
    asked: list[str] = []

    def answer(request: Request) -> None:
        if request.path.startswith("/api/v1/targets"):
            active = [{"labels": {"instance": "gw:8080"}, "scrapeInterval": "15s"}, {"labels": {}}]
            return request.reply(200, json.dumps({"status": "success", "data": {"activeTargets": active}}))
        asked.append(request.path)
        if "broken" in request.path:
            return request.reply(400, '{"error": "parse error"}')
        if "strange" in request.path:
            return request.reply(200, json.dumps(matrix({"metric": {}, "values": [["x", "y"]]})))
        values = [[int(now) - 3, "4"], [int(now) - 2, "5"]]
        count = 20 if "many" in request.path else 1
        return request.reply(
            200, json.dumps(matrix(*({"metric": {"i": str(k)}, "values": values} for k in range(count))))
        )

    more = {"a": "good[$window]", "b": "broken", "c": "strange", "d": "many"}
    mine = Target(**{**{f: getattr(SANDBOX, f) for f in SANDBOX.__slots__}, "metrics": {}, "series": more})
    folder = histories.keep(histories.history(), tmp_path / "run")
    with serving(answer) as url:
        range_queries.keep(folder, mine, "http://gw:8080", clock, Prometheus(url))
    found = writing.read_run(folder).ranges

    assert found is not None
    assert found.source == f"Prometheus at {url}"
    assert (len(asked), "step=1&" in f"{asked[0]}&") == (4, True)
    good, broken, strange, many = found.series
    assert (good.promql, [v for _, v in good.curves[0].points], len(good.curves[0].gaps)) == (
        "good[60s]",
        [4.0, 5.0],
        2,
    )
    assert broken.error.startswith("HTTP Status Code 400")
    assert strange.error == "the answer is none of Prometheus's (ValueError)"
    assert (len(many.curves), many.left_out) == (12, 8)


def test_one_that_is_gone_is_asked_once() -> None:
    """Its series are not known, each with the reason."""
    gone = Prometheus(f"http://127.0.0.1:{free_port()}")
    found = range_queries.answers(gone, [("a", "x"), ("b", "y")], ASKED, ZERO)
    assert [each.error for each in found] == ["does not answer (ConnectionError)"] * 2


@pytest.mark.parametrize(
    ("targets", "wanted_s"),
    [
        ({}, 15.0),
        ({"activeTargets": None}, 15.0),
        ({"activeTargets": [{"labels": {"instance": "gw"}, "scrapeInterval": "1m30s"}]}, 90.0),
        ({"activeTargets": [{"labels": {"instance": "a"}, "scrapeInterval": "30s"}, {"labels": {}}]}, 30.0),
        ({"activeTargets": [{"labels": {"instance": "gw"}, "scrapeInterval": "soon"}]}, 15.0),
    ],
)
def test_how_often_it_scrapes(targets: dict[str, Any], wanted_s: float) -> None:
    """The Gateway by its address; else as the slowest, or what is usual."""
    assert range_queries.scrape_s(targets, "gw") == wanted_s


def told(**changes: Any) -> History:
    """Return a run with three series: one drawn, one without an answer, one that Prometheus does not know."""
    points = ((0.75, 0.0), (1.75, 2.0), (4.75, 2.0), (5.75, None), (6.75, 1.0))
    rows = (
        Series("breaker <b>", "up", (Curve("pod=a|b", points, ((1.75, 4.75),)),)),
        Series("latency", "x", error="HTTP Status Code 400"),
        Series("memory", "redis_memory_used_bytes"),
    )
    return replace(histories.history(), ranges=replace(ASKED, series=rows, **changes))


def test_the_report_shows_what_there_is_and_says_what_is_not() -> None:
    """The line is broken at each gap, the fault is behind it, foreign text stays text; no verdict changes."""
    row, failed, unknown = strips.rows(told())
    page, text = html.render(told(), judge(told())), markdown.render(told(), judge(told()))

    assert row.strips[0].path == "M0.0 42.0L60.0 2.0M240.0 2.0M360.0 22.0"
    assert row.strips[0].bands == ((75.0, 183.0, "redis-down"),)
    assert "not answered: HTTP Status Code 400" in page
    assert "Prometheus knows no such series" in page
    assert "breaker &lt;b&gt;" in page
    assert "- latency: not answered: HTTP Status Code 400" in text
    assert "breaker &lt;b&gt;" in text
    assert (failed.strips, unknown.strips) == ((), ())
    assert judge(told()) == judge(replace(told(), ranges=None))
    assert judge(told()).sentence in page


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (None, "none were recorded"),
        (Ranges(error="this target has no Prometheus"), "none: this target has no Prometheus"),
    ],
)
def test_without_any_it_says_why(ranges: Ranges | None, said: str) -> None:
    """A run of an earlier version, or of a target without a Prometheus."""
    bare = replace(told(), ranges=ranges)
    assert f"Metric series: {said}" in markdown.render(bare, judge(bare))
    assert said in html.render(bare, judge(bare))


def test_a_torn_record_is_told_and_damages_no_verdict(tmp_path: Path) -> None:
    """They are only told: the run is judged all the same."""
    folder = histories.keep(histories.history(), tmp_path / "run")
    (folder / "series.json").write_text(json.dumps(asdict(told().ranges or ASKED)))
    whole = writing.read_run(folder)
    (folder / "series.json").write_text('{"series": [')
    torn = writing.read_run(folder)

    assert whole.ranges == told().ranges
    assert torn.ranges == Ranges(error="series.json cannot be read (JSONDecodeError)")
    assert judge(torn).state is judge(whole).state
    assert not torn.damage
