"""Before the first alert: what may be loaded, where it is, whether it answers, and what was left over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kubernetes_api_server import free_port
from small_server import serving

from chaos_hooks import injection, journal, preflight
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.journal import Journal
from chaos_hooks.options import SCENARIOS, Options
from shapes import document, scenario
from shapes.target import AnswerRules, Endpoints, ResourceRules, Target

TARGET = Target("mine", "M", None, Endpoints(), "/", {}, 1.0, 1.0, AnswerRules(), ResourceRules(), {})
GATEWAY = "http://127.0.0.1:8080"


def options(target_url: str = "", allow_target: str = "") -> Options:
    """Return what a user gave of the two that matter here."""
    return Options("", "quick", "", target_url, allow_target, "", 0, "", False, "", -1, "", "", 0, "", "", "")


@pytest.mark.parametrize(
    ("endpoints", "url", "whole"),
    [
        (Endpoints(GATEWAY), "", (GATEWAY, f"{GATEWAY}/metrics", f"{GATEWAY}/readyz")),
        (Endpoints(f"{GATEWAY}/"), "", (GATEWAY, f"{GATEWAY}/metrics", f"{GATEWAY}/readyz")),
        (Endpoints(), f"{GATEWAY}/gw/", (f"{GATEWAY}/gw", f"{GATEWAY}/gw/metrics", f"{GATEWAY}/gw/readyz")),
        (Endpoints("http://10.0.0.1"), GATEWAY, (GATEWAY, f"{GATEWAY}/metrics", f"{GATEWAY}/readyz")),
        (
            Endpoints(GATEWAY, "http://127.0.0.1:9090/metrics", "http://127.0.0.1:8081/healthz"),
            "",
            (GATEWAY, "http://127.0.0.1:9090/metrics", "http://127.0.0.1:8081/healthz"),
        ),
        (
            Endpoints("https://[::1]:8443"),
            "",
            tuple(f"https://[::1]:8443{p}" for p in ("", "/metrics", "/readyz")),
        ),
    ],
)
def test_endpoints_follow_from_the_gateways_address(
    endpoints: Endpoints, url: str, whole: tuple[str, str, str]
) -> None:
    """What the user gives goes before what the file says; the rest is what every Gateway release has."""
    found = preflight.complete(endpoints, TARGET, options(url))

    assert (found.gateway_url, found.metrics_url, found.ready_url) == whole


@pytest.mark.parametrize(
    ("written", "given", "sentence"),
    [
        (
            "",
            "",
            r"^scenarios/targets/mine\.yaml: endpoints\.gateway_url: is missing; write it there, or give",
        ),
        ("", "gateway:8080", r"^--chaos-target-url: 'gateway:8080' is no URL; write it like http://127"),
        ("", "ftp://127.0.0.1", r"^--chaos-target-url: 'ftp://127\.0\.0\.1' is no URL"),
        ("", "http://", r"^--chaos-target-url: 'http:' is no URL"),
        ("", "http://[::1", r"^--chaos-target-url: 'http://\[::1' is no URL"),
        ("localhost", "", r"^endpoints\.gateway_url: 'localhost' is no URL"),
    ],
)
def test_a_gateway_without_a_usable_address_is_one_sentence(written: str, given: str, sentence: str) -> None:
    """It names the place where it stands."""
    with pytest.raises(SetupError, match=sentence):
        preflight.complete(Endpoints(written), TARGET, options(given))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://127.8.8.8",
        "http://localhost:8080",
        "https://localhost",
        "https://[::1]:8443/x",
        "",
    ],
)
def test_loopback_may_be_loaded_and_broken(url: str) -> None:
    """And what is not there at all."""
    preflight.guard(Endpoints(url, url, url, url), options())


@pytest.mark.parametrize("field", ["gateway_url", "metrics_url", "ready_url", "control_url"])
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://192.0.2.1:8080", "192.0.2.1"),
        ("https://gateway.example/x", "gateway.example"),
        ("https://Gateway.Example", "gateway.example"),
        ("http://0.0.0.0:8080", "0.0.0.0"),
        ("http://127.0.0.1.example", "127.0.0.1.example"),
        ("http://localhost@192.0.2.1/", "192.0.2.1"),
        ("http://[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_another_host_must_be_named(field: str, url: str, host: str) -> None:
    """Not any other one, and not by a part of its name; the sentence says how."""
    endpoints = replace(Endpoints(GATEWAY), **{field: url})  # type: ignore[arg-type]
    wrong = [options(), options(allow_target="example"), options(allow_target="192.0.2.10")]
    for given in wrong:
        with pytest.raises(SetupError) as refused:
            preflight.guard(endpoints, given)
        assert str(refused.value).startswith(f"endpoints.{field}: {url} is not loopback")
        assert str(refused.value).endswith(f"--chaos-allow-target {host}")
    preflight.guard(endpoints, options(allow_target=host))
    preflight.guard(endpoints, options(allow_target=host.upper()))


@pytest.mark.parametrize("url", ["gateway:8080/metrics", "http://[::1", "/metrics"])
def test_an_endpoint_that_is_no_url_is_not_loopback_either(url: str) -> None:
    """Of a target file, or announced by its start command."""
    with pytest.raises(SetupError, match=r"^endpoints\.metrics_url: .* is no URL; write it like"):
        preflight.guard(Endpoints(GATEWAY, url), options(allow_target="gateway"))


@pytest.mark.parametrize(("ready", "metrics"), [(503, 200), (200, 500), (302, 200)])
def test_a_gateway_must_be_ready_and_show_its_metrics(ready: int, metrics: int) -> None:
    """The sentence names the URL and what came instead; 200 both times is enough."""
    codes = {"/readyz": ready, "/metrics": metrics}
    with serving(lambda request: request.reply(codes[request.path])) as url:
        endpoints = Endpoints(url, f"{url}/metrics", f"{url}/readyz")
        bad = next(path for path, code in codes.items() if code != 200)
        with pytest.raises(SetupError, match=f"^{url}{bad}: answered {codes[bad]}, wanted 200"):
            preflight.answers(endpoints)
        codes.update({"/readyz": 200, "/metrics": 200})
        preflight.answers(endpoints)


def test_a_gateway_that_is_not_there_is_one_sentence() -> None:
    """With the mend."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SetupError, match=rf"^{url}/readyz: does not answer \(ConnectionError\); start the"):
        preflight.answers(Endpoints(url, f"{url}/metrics", f"{url}/readyz"))


def leave(runs: Path, name: str, control_url: str, fault: str = "down") -> None:
    """Leave a fault behind, as a run does that was killed."""
    folder = runs / name
    folder.mkdir(parents=True)
    book = Journal(folder)
    book.injecting(fault, "process", {"control_url": control_url, "component": "redis-0"})
    book.close()  # As the kernel does when its run is killed; while it is open, the run lives.


def test_leftovers_are_swept_once_and_told(tmp_path: Path) -> None:
    """One whose target is gone, and one that is still there and obeys; the next start finds nothing."""
    leave(tmp_path, "1", f"http://127.0.0.1:{free_port()}")
    started: list[str] = []

    def obey(request: object) -> None:
        started.append(request.path)  # type: ignore[attr-defined]
        request.reply(200, '{"already_running": false, "pid": 42}')  # type: ignore[attr-defined]

    with serving(obey) as url:
        leave(tmp_path, "2", url, "other")
        told = preflight.sweep(tmp_path, Endpoints(), RunClock())
        again = preflight.sweep(tmp_path, Endpoints(), RunClock())

    assert told[0] == "swept down of 1: redis-0: its whole target is gone"
    assert told[1].startswith("swept other of 2: redis-0 started again (process 42)")
    assert started == ["/components/redis-0/start"]
    assert again == []


def test_over_a_fault_that_is_still_on_nothing_is_run(tmp_path: Path) -> None:
    """It cannot be healed: the sentence names the journal, and it stays open."""
    with serving(lambda request: request.reply(503, '{"error": "redis-0 does not start"}')) as url:
        leave(tmp_path, "1", url)
        with pytest.raises(SetupError) as refused:
            preflight.sweep(tmp_path, Endpoints(), RunClock())

    assert str(refused.value) == (
        f"{tmp_path}/1/journal.jsonl: fault down is still on "
        "(POST /components/redis-0/start: redis-0 does not start); heal it by hand, then remove that file"
    )
    assert [left.fault for left in journal.leftovers(tmp_path)] == ["down"]


def test_every_scenario_of_this_project_is_one_that_can_be_run() -> None:
    """Its criteria, their options and its injectors exist, at every pace that it has."""
    checked = []
    for name in scenario.names(SCENARIOS):
        for pace in document.load(SCENARIOS / f"{name}.yaml").entries()["paces"].entries():
            preflight.check_scenario(scenario.find(SCENARIOS, name, pace), injection.names())
            checked.append((name, pace))

    assert ("redis-master-failure", "quick") in checked


def test_two_faults_of_one_name_are_refused() -> None:
    """The journal and the record know a fault by its name."""
    one = scenario.find(SCENARIOS, "redis-master-failure", "quick")
    twice = replace(one, faults=one.faults * 2)
    with pytest.raises(SetupError, match=r"faults\[0\]\.name: 'primary-down' stands twice; give each"):
        preflight.check_scenario(twice, injection.names())
