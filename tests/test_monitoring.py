"""Monitoring: manifests, rules and dashboard by their own tools; the tool's metrics; Grafana annotations."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import patched_process
import pytest
import requests
import strict_kinds
import yaml
from kubernetes_api_server import free_port
from locust_process import HOME, SHORT, locust, until
from prometheus_client.parser import text_string_to_metric_families
from small_server import Request, serving

FOLDER = HOME / "manifests" / "monitoring"
RULES_TEST = HOME / "tests" / "data" / "alertstorm.rules.test.yml"
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
DASHBOARD = json.loads((FOLDER / "alertstorm.json").read_text())


def tool(name: str) -> str:
    """Return a program's path; skip loudly without it."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"no {name} on PATH (Debian: apt install {'prometheus' if name == 'promtool' else name})")
    return found


def run(*words: str) -> str:
    """Return what a program says; it must be content."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules_and_their_tests_pass() -> None:
    """Every alerting rule has a test in which it fires."""
    promtool = tool("promtool")
    rules = yaml.safe_load((FOLDER / "alertstorm.rules.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    tested = {
        each["alertname"]
        for case in yaml.safe_load(RULES_TEST.read_text())["tests"]
        for each in case.get("alert_rule_test", ())
        if each["exp_alerts"]
    }

    assert "SUCCESS" in run(promtool, "check", "rules", str(FOLDER / "alertstorm.rules.yml"))
    assert "SUCCESS" in run(promtool, "test", "rules", str(RULES_TEST))
    assert tested == alerts


def expressions() -> list[str]:
    """Return every PromQL of the dashboard."""
    panels = [t["expr"] for p in DASHBOARD["panels"] for t in p["targets"] if p["type"] != "logs"]
    return [*panels, *(a["expr"] for a in DASHBOARD["annotations"]["list"] if "expr" in a)]


def test_promtool_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """As rules, with Grafana's own variable replaced."""
    promtool = tool("promtool")
    rules = [
        {"record": f"dashboard:{n}", "expr": expr.replace("$__rate_interval", "1m")}
        for n, expr in enumerate(expressions())
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert "SUCCESS" in run(promtool, "check", "rules", str(path))


def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    """Debian's is built without the discovery of Kubernetes' pods: there all else is checked, with fixed
    targets in its place, and `role: pod` is nobody's."""
    promtool = tool("promtool")
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["rule_files"] = [str(FOLDER / "alertstorm.rules.yml")]
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    first = subprocess.run(
        [promtool, "check", "config", str(path)], capture_output=True, text=True, check=False
    )
    if "field kubernetes_sd_configs not found" in first.stderr + first.stdout:
        for job in config["scrape_configs"]:
            assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
            job["static_configs"] = [{"targets": ["127.0.0.1:9"]}]
        path.write_text(yaml.safe_dump(config))

    assert "SUCCESS" in run(promtool, "check", "config", str(path))


# What the dashboard asks of kubernaut's own Gateway, by its fact sheet; nobody here shows it.
KUBERNAUTS = {
    "gateway_signals_received_total",
    "gateway_signals_deduplicated_total",
    "gateway_crd_creation_errors_total",
}
# Of a redis_exporter, and of Prometheus itself.
OTHERS = {"redis_memory_used_bytes", "redis_memory_max_bytes", "up"}


def names_asked() -> set[str]:
    """Return every metric that the dashboard, the rules or the targets' files name."""
    rules = yaml.safe_load((FOLDER / "alertstorm.rules.yml").read_text())
    asked = [*expressions(), *(rule["expr"] for group in rules["groups"] for rule in group["rules"])]
    return set(re.findall(r"\b(?:gateway|alertstorm|redis)_[a-z0-9_]+(?![a-z0-9_:])|\bup\b", " ".join(asked)))


def test_the_dashboard_shows_what_it_promises_and_from_sources_that_there_are() -> None:
    """Sent against processed, breaker, latency, queue, Redis memory, fault windows; no two panels overlap."""
    titles = " ".join(panel["title"] for panel in DASHBOARD["panels"])
    sources = yaml.safe_load((FOLDER / "datasources.yml").read_text())["datasources"]
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    places = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]}

    for word in ("Sent against processed", "Circuit breaker", "Latency", "Queue", "Redis memory"):
        assert word in titles
    assert "alertstorm_fault_active == 1" in expressions()
    assert {"alertstorm"} == {
        tag for a in DASHBOARD["annotations"]["list"] for tag in a.get("target", {}).get("tags", ())
    }
    assert used <= {source["uid"] for source in sources}
    assert len(places) == len(DASHBOARD["panels"])


def test_kubectl_puts_the_manifests_together() -> None:
    """Every volume's ConfigMap is one that is made, and every Service selects the labels of a Deployment."""
    built = list(yaml.safe_load_all(run(tool("kubectl"), "kustomize", str(FOLDER))))
    maps = {item["metadata"]["name"] for item in built if item["kind"] == "ConfigMap"}
    pods = [item["spec"]["template"] for item in built if item["kind"] == "Deployment"]
    volumes = {v["configMap"]["name"] for pod in pods for v in pod["spec"]["volumes"] if "configMap" in v}
    selected = [item["spec"]["selector"] for item in built if item["kind"] == "Service"]

    assert volumes == maps
    assert all(any(s.items() <= pod["metadata"]["labels"].items() for pod in pods) for s in selected)
    assert {item["metadata"].get("namespace") for item in built if item["kind"] == "Deployment"} == {
        "monitoring"
    }
    assert all("@" in i or re.search(r":v?\d", i) for pod in pods for i in _images(pod))
    known = [item for item in built if item["kind"] in strict_kinds.KNOWN]
    assert [fault for item in known for fault in strict_kinds.faults_of(item)] == []
    assert {item["kind"] for item in built} - {item["kind"] for item in known} <= CLUSTER_WIDE


def test_what_the_config_maps_hold_is_what_it_is_called() -> None:
    """Each file of YAML or JSON can be read; Grafana's data sources lead to Services that there are."""
    built = list(yaml.safe_load_all(run(tool("kubectl"), "kustomize", str(FOLDER))))
    services = {item["metadata"]["name"] for item in built if item["kind"] == "Service"}
    files = {k: v for item in built if item["kind"] == "ConfigMap" for k, v in item["data"].items()}
    read = {name: yaml.safe_load(text) for name, text in files.items() if not name.endswith(".alloy")}
    sources = read["datasources.yml"]["datasources"]

    assert all(isinstance(value, dict) for value in read.values())
    assert {re.split(r"[/:]+", source["url"])[1] for source in sources} <= services
    assert read["loki.yml"]["server"]["http_listen_port"] == 3100


def _images(pod: Any) -> list[str]:
    return [container["image"] for container in pod["spec"]["containers"]]


def gateway_metrics(folder: Path) -> set[str]:
    """Return the names under which the reference Gateway of a run shows its metrics, with those to come."""
    families = json.loads((folder / "baseline.json").read_text())["families"]
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {f"{each['name']}{end}" for each in families for end in endings.get(each["type"], ("",))}


def test_the_metrics_of_a_real_run_are_served_and_named_as_the_dashboard_has_them(tmp_path: Path) -> None:
    """While the fault is on: valid for promtool, with every metric that the dashboard asks this tool for."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    arguments = ("--headless", "--chaos-scenario", SHORT, "--chaos-metrics-port", str(port))
    with locust(tmp_path / "runs", *arguments) as process:
        process.wait_for("injected: redis-0")
        gateway = gateway_metrics(process.run_folder())
        until(lambda: 'fault="primary-down",injector="process"} 1.0' in requests.get(url, timeout=5).text)
        answer = requests.get(url, timeout=5)
        elsewhere = requests.get(url.replace("/metrics", "/"), timeout=5).status_code
        process.process.terminate()
        process.wait()
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    samples = {sample.name for family in families.values() for sample in family.samples}
    wanted = set(re.findall(r"alertstorm_[a-z_]+", " ".join(expressions())))

    assert (answer.status_code, elsewhere) == (200, 404)
    assert wanted <= samples, wanted - samples
    assert names_asked() <= samples | gateway | KUBERNAUTS | OTHERS
    assert not KUBERNAUTS & gateway
    assert sum(s.value for s in families["alertstorm_alerts"].samples) > 0
    assert families["alertstorm_alerts_planned"].samples[0].value == 200.0
    if shutil.which("promtool"):
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=answer.text, text=True, capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def served(base: str) -> list[int]:
    """Ask for the web UI's metrics with a closed login, then an open one."""
    import flask

    from chaos_hooks import observing

    closed = True

    def auth_required_if_enabled(view: Any) -> Any:
        return lambda: ("log in", 401) if closed else view()

    app = flask.Flask("stand-in")
    web_ui: Any = SimpleNamespace(app=app, auth_required_if_enabled=auth_required_if_enabled)
    exporter: Any = SimpleNamespace(text=lambda: b"alertstorm_run_active 0.0\n")
    observing.add_route(web_ui, base, exporter)
    statuses = [app.test_client().get(f"{base}/metrics").status_code]
    closed = False
    return [*statuses, app.test_client().get(f"{base}/metrics").status_code]


def test_the_web_ui_has_them_behind_its_login() -> None:
    """Below the base path."""
    assert patched_process.call("test_monitoring", "served", "/load") == [401, 200]


def told(folder: str, status: int) -> list[Any]:
    """Let a fault begin and end before a Grafana; return what it was told, and what was said."""
    from chaos_hooks.grafana import Annotations

    asked: list[Any] = []
    said: list[str] = []

    def answer(request: Request) -> None:
        body = json.loads(request.content())
        times = {key: value > 1_700_000_000_000 for key, value in body.items() if key.startswith("time")}
        asked.append([request.command, request.path, request.headers["Authorization"], {**body, **times}])
        request.reply(status, json.dumps({"message": "x", "id": 42}), Content_Type="application/json")

    token = Path(folder) / "token"
    token.write_text("secret\n")
    fault = SimpleNamespace(name="partition", inject="toxiproxy")
    conductor = SimpleNamespace(active={})
    run: Any = SimpleNamespace(
        bench=SimpleNamespace(run_id="redis-1", conductor=conductor),
        scenario=SimpleNamespace(name="redis", faults=[fault]),
    )
    with serving(answer) as url:
        annotations = Annotations(url, str(token), said.append)
        for active in ({}, {"partition": 1}, {"partition": 1}, {}, {}):
            conductor.active = active
            annotations.look(run)
    return [asked, said]


def test_a_fault_s_window_is_an_annotation(tmp_path: Path) -> None:
    """Begun once with the dashboard's tag, ended once."""
    bearer = "Bearer secret"
    tags = ["alertstorm", "redis", "partition", "toxiproxy"]
    text = "partition (toxiproxy), run redis-1"
    asked, said = patched_process.call("test_monitoring", "told", str(tmp_path), 200)

    assert asked == [
        ["POST", "/api/annotations", bearer, {"time": True, "tags": tags, "text": text}],
        ["PATCH", "/api/annotations/42", bearer, {"timeEnd": True}],
    ]
    assert said == []


def test_a_grafana_that_refuses_is_told_once(tmp_path: Path) -> None:
    """It changes nothing else: no end is written of what was not begun."""
    asked, said = patched_process.call("test_monitoring", "told", str(tmp_path), 403)

    assert [each[0] for each in asked] == ["POST"]
    assert len(said) == 1
    assert "took no annotation: 403" in said[0]
