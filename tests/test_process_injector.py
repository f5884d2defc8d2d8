"""The process injector on the real sandbox: what it says died is dead, when it says; the healed is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import sandbox_runner as runner
from kubernetes_api_server import free_port
from small_server import serving

from chaos_hooks import injection
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError, Undo
from chaos_hooks.injectors.process import Injector
from shapes.scenario import Fault
from shapes.target import Endpoints

Options = dict[str, Any]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runner.Sandbox]:
    """One sandbox for the module; each test leaves it whole."""
    folder = tmp_path_factory.mktemp("sandbox")
    keeper = runner.spawn("--gateway-command", runner.gateway_command(folder))
    yield runner.ready(keeper)
    keeper.communicate(timeout=runner.DEADLINE_S)


def injector(control_url: str, clock: RunClock | None = None, **options: Any) -> Injector:
    """Return an injector of a fault that is to last 60 s."""
    fault = Fault("down", "process", 0.0, 60.0, options or {"component": "redis-replica"})
    return Injector(Endpoints(control_url=control_url), clock or RunClock(), fault)


def control(sandbox: runner.Sandbox) -> str:
    """Return where the sandbox is told what to do."""
    return str(sandbox.event["control_url"])


def replica(sandbox: runner.Sandbox) -> dict[str, Any]:
    """Return the component that is a replica now."""
    return next(c for c in sandbox.components().values() if c["role"] == "redis-replica")


class Watch(threading.Thread):
    """Looks all the time whether a process lives: it died between ``alive_until_s`` and ``dead_from_s``."""

    def __init__(self, process: psutil.Process, clock: RunClock) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._clock = clock
        self.alive_until_s = clock.now()
        self.dead_from_s = -1.0
        self.start()

    def run(self) -> None:
        while True:
            looked_s = self._clock.now()
            if runner.is_dead(self._process):
                self.dead_from_s = self._clock.now()
                return
            self.alive_until_s = looked_s
            time.sleep(0.0005)


def test_a_fault_kills_within_its_interval_and_healing_brings_it_back(sandbox: runner.Sandbox) -> None:
    """The process is gone, by SIGKILL, at a time in the effect's interval; the lease outlasts the fault."""
    clock, undos = RunClock(), list[Undo]()
    before = replica(sandbox)
    process = psutil.Process(before["pid"])
    fault = injector(control(sandbox), clock)

    def undo_first(undo: Undo) -> None:
        assert not runner.is_dead(process), "the undo is handed out before anything is done"
        undos.append(undo)

    watch = Watch(process, clock)
    effect = fault.inject(undo_first)
    watch.join(runner.DEADLINE_S)
    dead = sandbox.components()[before["name"]]

    options = {"component": "redis-replica"}
    assert undos == [{"control_url": control(sandbox), "component": before["name"], "options": options}]
    assert runner.is_dead(process)
    assert effect.seen
    assert effect.at.earliest_s <= watch.dead_from_s
    assert effect.at.latest_s >= watch.alive_until_s
    assert effect.at.latest_s <= clock.now()
    assert (dead["exits"][-1]["pid"], dead["exits"][-1]["code"]) == (before["pid"], -9)
    assert 60.0 < dead["lease_left_s"] <= 70.0
    assert (
        f"{before['name']} (process {before['pid']}, redis-replica) ended by SIGKILL in ["
        in effect.evidence[0]
    )
    assert "is dead; start it first" in injector(control(sandbox), component=before["name"]).available()
    with pytest.raises(InjectionError, match="is dead; start it first"):
        injector(control(sandbox), component=before["name"]).inject(undos.append)

    begun_s = clock.now()
    healed = fault.heal(undos[0])
    after = sandbox.components()[before["name"]]

    assert (after["state"], after["lease_left_s"]) == ("running", None)
    assert after["pid"] != before["pid"]
    assert begun_s <= healed.at.earliest_s <= healed.at.latest_s <= clock.now()
    assert healed.evidence[0].startswith(f"{before['name']} started again (process {after['pid']})")
    again = fault.heal(undos[0])
    assert again.evidence[0].startswith(f"{before['name']} was running already (process {after['pid']})")
    assert sandbox.components()[before["name"]]["pid"] == after["pid"]
    assert len(undos) == 1


def test_the_signal_can_be_chosen(sandbox: runner.Sandbox) -> None:
    """TERM lets the component end as it wants; one the sandbox does not know is refused, and nothing dies."""
    undos: list[Undo] = []
    effect = injector(control(sandbox), component="gateway", signal="TERM").inject(undos.append)
    gateway = sandbox.components()["gateway"]
    swept = injector(control(sandbox), component="gateway").sweep(undos[0])

    assert "ended by SIGTERM" in effect.evidence[0]
    assert (gateway["state"], gateway["exits"][-1]["code"]) == ("dead", -15)
    assert swept.startswith("gateway started again")
    with pytest.raises(
        InjectionError, match=r"POST /components/gateway/kill: signal: 'HUP' is not KILL or TERM"
    ):
        injector(control(sandbox), component="gateway", signal="HUP").inject(undos.append)
    assert sandbox.components()["gateway"]["state"] == "running"


def test_available_tells_what_is_missing(sandbox: runner.Sandbox) -> None:
    """By name or by role; the unknown are told what there is."""
    known = "gateway, kubernetes-api, redis-0, redis-1, redis-primary, redis-replica, sentinel, sentinel-0"

    assert injector(control(sandbox)).available() == ""
    assert injector(control(sandbox), component="gateway").available() == ""
    assert (
        injector(control(sandbox), component="redis-9")
        .available()
        .startswith(f"no component 'redis-9'; there are: {known}")
    )
    assert "the target has no control_url" in injector("").available()
    assert "ConnectionError" in injector(f"http://127.0.0.1:{free_port()}").available()


def test_a_proxy_of_the_environment_is_not_asked(
    sandbox: runner.Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not reach this machine's loopback."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    assert injector(control(sandbox)).available() == ""


def test_what_an_earlier_target_took_along_needs_no_healing() -> None:
    """Swept it is; to heal it, as during a run, would be a failure."""
    undo = {"control_url": f"http://127.0.0.1:{free_port()}", "component": "redis-0"}

    assert injector("").sweep(undo) == "redis-0: its whole target is gone"
    with pytest.raises(InjectionError, match="POST /components/redis-0/start: ConnectionError"):
        injector("").heal(undo)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (503, '{"error": "redis-0 is not ready"}', "redis-0 is not ready"),
        (500, "{}", "500"),
        (200, "hello", "answered 'hello', wanted JSON"),
        (200, "[]", "wanted a JSON object"),
        (302, "", "start: 302"),
    ],
)
def test_a_fault_that_cannot_be_swept_is_still_on(status: int, body: str, sentence: str) -> None:
    """Whoever answers in the control API's place: only its own yes counts."""
    with serving(lambda request: request.reply(status, body)) as url:
        undo = {"control_url": url, "component": "redis-0"}
        with pytest.raises(InjectionError, match=sentence):
            injector("").sweep(undo)


@pytest.mark.parametrize("options", [{}, {"signal": "KILL"}, {"component": "redis-0", "sginal": "KILL"}])
def test_options_it_does_not_know_are_refused(options: Options) -> None:
    """Before the run, at the fault's place in the scenario."""
    fault = Fault("down", "process", 0.0, 60.0, options)
    with pytest.raises(
        SetupError,
        match=r"^x\.yaml: faults\[0\]: injector process: takes component, signal and restart_after .*, got",
    ):
        injection.load(fault, Endpoints(), RunClock(), "x.yaml: faults[0]")


def test_an_unknown_injector_lists_those_there_are() -> None:
    """The name in the scenario is the file."""
    fault = Fault("down", "proces", 0.0, 60.0, {})
    with pytest.raises(SetupError, match=r"\.inject: unknown injector 'proces'; there are: .*process"):
        injection.load(fault, Endpoints(), RunClock(), "x.yaml: faults[0]")


def test_the_lease_ends_a_fault_that_nobody_heals(sandbox: runner.Sandbox) -> None:
    """A run that was killed does not leave its fault on: the target ends it by itself."""
    name = replica(sandbox)["name"]
    fault = Fault("down", "process", 0.0, -9.5, {"component": name})  # With the margin: half a second.
    Injector(Endpoints(control_url=control(sandbox)), RunClock(), fault).inject(lambda _: None)
    begun_s = time.monotonic()
    runner.wait_until(lambda: sandbox.components()[name]["state"] == "running", f"{name} is back")

    assert time.monotonic() - begun_s > 0.2
