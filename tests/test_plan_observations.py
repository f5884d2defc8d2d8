"""What the plan's criteria read: components, metrics by label, windows of resources, logs in time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import histories
import pytest
import requests
import yaml
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from sandbox_runner import ready, spawn

from chaos_hooks import component_probe, options, probes
from chaos_hooks.truth import resource_of
from reports import folder, logs
from reports.history import Asked
from reports.log import Log, LogLine
from reports.signals import COMPONENTS
from shapes import target
from shapes.alerts import Naming
from shapes.document import DocumentError, Node
from shapes.target import Endpoints, Metric, ResourceRules


def a_component(name: str, pid: int | None, *why: str) -> dict[str, Any]:
    """Return a component as the control API lists it, with how its former processes died."""
    exits = [{"pid": 1, "code": -9, "ago_s": 1.0, "why": each} for each in why]
    state = "dead" if pid is None else "running"
    return {"name": name, "pid": pid, "state": state, "starts": 1 + len(exits), "exits": exits}


def test_components_are_numbers() -> None:
    """Deaths that the harness asked for are told from those by themselves; the dead have no process."""
    answer = {"components": [a_component("gateway", 7, "killed by control", "unexpected", "unexpected")]}
    dead = {"components": [a_component("redis-0", None, "killed by control")]}

    assert component_probe.read(answer) == {
        "running:gateway": 1.0,
        "pid:gateway": 7.0,
        "starts:gateway": 4.0,
        "killed:gateway": 1.0,
        "exits:gateway": 2.0,
    }
    assert component_probe.read(dead) == {
        "running:redis-0": 0.0,
        "starts:redis-0": 2.0,
        "killed:redis-0": 1.0,
        "exits:redis-0": 0.0,
    }


@pytest.mark.parametrize("answer", [None, {}, [], {"components": 3}, {"components": [{"name": "x"}]}])
def test_an_answer_that_is_no_list_of_components_is_an_error(answer: object) -> None:
    """The probe writes a failed look down, and goes on."""
    with pytest.raises(ValueError, match="no list of components"):
        component_probe.read(answer)


def test_the_sandbox_s_components_are_seen() -> None:
    """The real control API: all run; one that is killed died by control, and becomes another process."""
    keeper = spawn()
    try:
        sandbox = ready(keeper)
        ask = probes.questions(a_target({}), Endpoints(control_url=sandbox.event["control_url"]))[COMPONENTS]
        before = ask()
        body = {"for_s": 30.0}
        requests.post(f"{sandbox.event['control_url']}/components/gateway/kill", json=body, timeout=20)
        dead = ask()
        requests.post(f"{sandbox.event['control_url']}/components/gateway/start", timeout=20)
        after = ask()
    finally:
        assert keeper.stdin
        keeper.stdin.close()
        keeper.wait(30)

    assert {n for k, n in before.items() if k.startswith("running:")} == {1.0}
    assert {"running:redis-0", "running:sentinel-0", "running:kubernetes-api"} <= set(before)
    assert (dead["running:gateway"], dead["killed:gateway"], dead["exits:gateway"]) == (0.0, 1.0, 0.0)
    assert "pid:gateway" not in dead
    assert after["pid:gateway"] != before["pid:gateway"]
    assert after["starts:gateway"] == before["starts:gateway"] + 1


def a_target(metrics: dict[str, Metric]) -> target.Target:
    """Return a target of which only the metrics matter."""
    rules = (target.AnswerRules(), ResourceRules())
    return target.Target("t", "T", None, Endpoints(), "/", {}, 1.0, 1.0, *rules, metrics)


def test_metrics_are_told_apart_by_a_label() -> None:
    """The sum and each value; of a histogram the cumulative buckets alone, their bounds written shortest."""
    registry = CollectorRegistry()
    errors = Counter("errors_total", "E", ["error", "pool"], registry=registry)
    errors.labels("timeout", "a").inc(2)
    errors.labels("timeout", "b").inc(3)
    errors.labels("connection", "a").inc(7)
    waits = Histogram("waits", "W", buckets=(0.5, 1, 2), registry=registry)
    for wait in (0.4, 1, 1, 9):
        waits.observe(wait)
    metrics = {
        "errors": Metric("errors_total", by="error"),
        "errors_a": Metric("errors_total", {"pool": "a"}, by="error"),
        "waits": Metric("waits_bucket", by="le"),
        "nothing": Metric("nothing_total", by="error"),
    }

    assert probes.read_metrics(generate_latest(registry).decode(), metrics) == {
        "errors": 12.0,
        "errors.timeout": 5.0,
        "errors.connection": 7.0,
        "errors_a": 9.0,
        "errors_a.timeout": 2.0,
        "errors_a.connection": 7.0,
        "waits.0.5": 1.0,
        "waits.1": 3.0,
        "waits.2": 3.0,
        "waits.inf": 4.0,
    }


def test_the_sandbox_s_target_maps_what_the_criteria_read() -> None:
    """A key that a criterion asks for and the mapping lacks would always be UNKNOWN."""
    mapped = set(target.find(options.TARGETS, "sandbox").metrics)
    needed = (
        "process_start breaker.redis breaker.kubernetes breaker_opened.kubernetes fallbacks dedup_hits "
        "k8s_queries redis_errors redis_pool.active redis_pool.max k8s_errors k8s_backoff k8s_queue "
        "buffer.size buffer.bypasses buffer.expired buffer.recovered windows_opened updates.conflicts "
        "updates.retried updates.exhausted update_backoff"
    )

    assert set(needed.split()) <= mapped


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("spec.count", ("spec", "count")),
        ("metadata.annotations[a.io/b-c]", ("metadata", "annotations", "a.io/b-c")),
        ("[a.b].c", ()),
        ("", ()),
        ("a..b", ()),
        ("a.", ()),
        ("a[b", ()),
        ("a[]", ()),
    ],
)
def test_a_path_goes_through_names(path: str, names: tuple[str, ...]) -> None:
    """A name with dots of its own stands in brackets."""
    assert target.path_names(path) == names


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("resources: {window: 'a[b'}", "t.yaml: resources.window: wanted a path like spec.signalLabels or "),
        ("resources: {windows: a}", "t.yaml: resources: unknown field 'windows'; did you mean 'window'? "),
        ("metrics: {b: {name: n, by: l, states: {open: 1}}}", "t.yaml: metrics.b.by: states cannot be told "),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(text: str, sentence: str) -> None:
    """With file, path and mend."""
    with pytest.raises(DocumentError) as caught:
        target.parse(Node("t.yaml", "", {"title": "T", **yaml.safe_load(text)}), "t")

    assert str(caught.value).startswith(sentence)


def test_a_resource_s_window_is_read() -> None:
    """From an annotation whose name has dots; a resource without one names none."""
    item = {
        "metadata": {"name": "rr", "uid": "u", "annotations": {"kubernaut.io/storm-window-id": "w-1"}},
        "spec": {"affectedResources": ["prod:Pod:chaos-k3x9-0000004"]},
    }
    bare = {**item, "metadata": {"name": "rr", "uid": "u"}}
    got, other = (resource_of(each, Naming("k3x9"), ResourceRules()) for each in (item, bare))

    assert got
    assert (got.window, got.aggregated) == ("w-1", (4,))
    assert other
    assert other.window == ""


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        ('{"time": "2026-03-01T12:00:03.5+00:00", "message": "x"}', 3.5),
        ('{"ts": 1772366405.25}', 5.25),
        ("2026-03-01T12:00:04Z x", 4.0),
        ("[2026-03-01 13:00:04,250+01:00] x", 4.25),
        ("2026-03-01 12:00:04 x", None),  # in which zone?
        ('{"time": true}', None),
        ('{"time": NaN}', None),
        ('{"message": "at 2026-99-01T12:00:04Z"}', None),
        ("{torn", None),
        ("", None),
    ],
)
def test_a_log_line_has_its_place_in_the_run(text: str, at_s: float | None) -> None:
    """By a time with a zone, wherever it stands; second 0 was at 12:00:00 UTC."""
    assert logs.line(text, 1772366400.0).at_s == at_s
    assert logs.line(text, None).at_s is None


def test_only_logs_that_are_asked_for_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a criterion's component, and no further than the most lines; never outside of the folder."""
    promises = (
        Asked("logs_alive", {"contains": "breaker"}),
        Asked("logs_alive", {"component": "redis-0"}),
        Asked("logs_alive", {"component": "missing"}),
        Asked("logs_alive", {"component": "../secret"}),
        Asked("zero_loss", {}),
    )
    told = histories.history(promises=promises, run_changes={"zero_unix_s": 1772366400.0})
    kept = histories.keep(told, tmp_path / "run")
    (tmp_path / "secret.log").write_text("x\n")
    (kept / "logs").mkdir()
    (kept / "logs/gateway.log").write_text(
        json.dumps({"time": "2026-03-01T12:00:03Z", "m": "b" * 900}) + "\n"
    )
    (kept / "logs/redis-0.log").write_bytes(b"one\xff\ntwo\n")
    (kept / "logs/redis-1.log").write_text("three\n")
    monkeypatch.setattr(logs, "MOST_LINES", 1)

    gateway, redis = folder.read(kept).logs

    assert (gateway.component, gateway.whole, len(gateway.lines)) == ("gateway", True, 1)
    assert (gateway.lines[0].at_s, len(gateway.lines[0].text)) == (3.0, logs.MOST_CHARACTERS)
    assert redis == Log("redis-0", (LogLine(None, "one�"),), whole=False)


def test_windows_and_second_zero_survive_the_folder(tmp_path: Path) -> None:
    """And a record from before they were kept is read all the same."""
    told = histories.history(run_changes={"zero_unix_s": 5.5})
    told = replace(told, resources=(histories.resource(0, window="w-1"), *told.resources[1:]))
    kept = histories.keep(told, tmp_path / "run")

    assert folder.read(kept) == told
    for name in ("run.json", "truth.json"):
        document = json.loads((kept / name).read_text())
        document.pop("zero_unix_s", None)
        for each in document.get("resources", []):
            each.pop("window")
        (kept / name).write_text(json.dumps(document))
    old = folder.read(kept)
    assert (old.run.zero_unix_s, old.resources and old.resources[0].window) == (None, "")
