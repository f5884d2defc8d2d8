"""Stop conditions: each breaks a run off for its own reason, also for want of data, and for no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from locust_process import SHORT, locust, verdict
from small_server import serving

from chaos_hooks import stop_watch
from chaos_hooks.errors import SetupError
from reports import folder as run_folder
from reports.history import Observation
from reports.stopping import Seen, Stopping
from shapes import scenario, stop_condition
from shapes.document import DocumentError, Node
from shapes.stop_condition import StopCondition

BUDGET = StopCondition("error_budget", 10.0, share=0.5, least=4, place="x.yaml: stop_when[0].error_budget")
DOWN = StopCondition("component_down", 2.0, spared=("redis-*",), place="x.yaml: stop_when[0].component_down")
GONE = StopCondition("probe_gone", 5.0, probe="prometheus", place="x.yaml: stop_when[0].probe_gone")


def looks(condition: StopCondition, *seen: Seen) -> list[str]:
    """Return what each look says in turn, without the condition's place."""
    stopping = Stopping([condition], 0.0)
    return [stopping.broken(each).removeprefix(f"{condition.place}: ") for each in seen]


def test_a_budget_is_spent_by_what_was_not_acknowledged_lately() -> None:
    """Half is not more than half; what came before the window does not count; three are too few to say."""
    spent = "3 of 4 alerts of the last 10 s were not acknowledged, more than 50%"

    assert looks(BUDGET, Seen(0.0), Seen(1.0, 3, 3, 0), Seen(2.0, 4, 4, 1)) == ["", "", spent]
    assert looks(BUDGET, Seen(0.0), Seen(2.0, 4, 4, 2)) == ["", ""]
    assert looks(BUDGET, Seen(0.0), Seen(1.0, 8, 8, 0))[1].startswith("8 of 8")
    assert looks(BUDGET, Seen(0.0), Seen(5.0, 3, 3, 0), Seen(16.0, 9, 9, 6)) == ["", "", ""]


def test_a_budget_is_spent_by_what_hangs() -> None:
    """No outcome is no acknowledgement once it is older than the window; younger ones are in flight."""
    hang = "4 of 4 alerts of the last 10 s were not acknowledged, more than 50%"

    assert looks(BUDGET, Seen(0.0, 4), Seen(9.0, 4), Seen(10.0, 4)) == ["", "", hang]


def components(at_s: float, **values: float) -> Observation:
    """Return the components' answer at a time: running_NAME and killed_NAME."""
    return Observation("components", at_s, at_s, True, {k.replace("_", ":", 1): v for k, v in values.items()})


def test_a_component_that_nobody_meant_to_end_must_not_stay_down() -> None:
    """Down for longer than the limit; a restart in between begins anew."""
    up, down = {"running_gateway": 1.0}, {"running_gateway": 0.0}

    def seen(*states: dict[str, float]) -> list[str]:
        told = [components(float(at), **state) for at, state in enumerate(states)]
        return looks(DOWN, *(Seen(o.asked_s, latest={"components": o}) for o in told))

    assert seen(up, down, down, down, down)[-1] == "gateway, which no fault was to end, is down for 3.0 s"
    assert seen(up, down, down, up, down, down) == [""] * 6
    assert seen(up, {}, {}, {}, {})[-1] == "gateway, which no fault was to end, is down for 3.0 s"


def test_what_a_fault_ends_or_the_scenario_spares_may_be_down() -> None:
    """By the supervisor's count of deaths that were asked for, or by a pattern of names."""
    told = [
        components(0.0, running_gateway=1.0, killed_gateway=0.0),
        components(1.0, running_gateway=0.0, killed_gateway=1.0),
        components(9.0, running_gateway=0.0, killed_gateway=1.0),
    ]
    spared = [components(float(at), **{"running_redis-0": 0.0}) for at in range(9)]

    for observations in (told, spared):
        assert set(looks(DOWN, *(Seen(o.asked_s, latest={"components": o}) for o in observations))) == {""}


def test_what_cannot_be_seen_counts_as_broken() -> None:
    """A probe that never answered, one that stopped, and components of which nothing is known."""
    good = Observation("prometheus", 3.9, 4.0, True)
    bad = Observation("prometheus", 9.0, 9.1, False, error="refused")
    gone = [Seen(4.0, latest={"prometheus": good}), Seen(9.0), Seen(9.1, latest={"prometheus": bad})]

    assert looks(GONE, Seen(5.0), Seen(5.1))[1] == "no good answer of the probe prometheus for 5.1 s"
    assert looks(GONE, *gone) == ["", "", "no good answer of the probe prometheus for 5.1 s (refused)"]
    assert looks(DOWN, Seen(2.1)) == ["no good answer of the probe components for 2.1 s"]


def test_the_conditions_of_a_scenario_are_read() -> None:
    """With units, and defaults for what is left out."""
    text = "{error_budget: {share: 50%, over: 10s, least: 4}}"
    node = Node("x.yaml", "stop_when[0]", yaml.safe_load(text))

    assert stop_condition.parse(node) == BUDGET


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("error_budget", "wanted fields"),
        ("{a: 1, b: 2}", "wanted one condition"),
        (
            "{redis_gone: {for: 1s}}",
            "there are: component_down, error_budget, probe_gone",
        ),
        ("{error_budget: {share: 50%}}", "field 'over' is missing"),
        ("{error_budget: {share: 50, over: 1s}}", "not a share"),
        ("{probe_gone: {probe: prometheus, for: 0s}}", "is zero"),
        ("{probe_gone: {probe: promtheus, for: 1s}}", "did you mean 'prometheus'"),
    ],
)
def test_a_bad_condition_names_place_and_mend(text: str, sentence: str) -> None:
    """Before anything is started."""
    with pytest.raises(DocumentError, match=r"x.yaml: stop_when\[0\]") as told:
        stop_condition.parse(Node("x.yaml", "stop_when[0]", yaml.safe_load(text)))

    assert sentence in str(told.value)


def written(folder: Path, stop_when: str) -> Path:
    """Write the short scenario with stop conditions."""
    path = folder / "stops.yaml"
    path.write_text(Path(SHORT).read_text() + f"stop_when: {stop_when}\n")
    scenario.load(path, "quick")
    return path


def test_a_condition_that_could_never_be_seen_is_refused(tmp_path: Path) -> None:
    """Before the first alert, with what there is to ask."""
    planned = scenario.load(written(tmp_path, "[{probe_gone: {probe: prometheus, for: 1s}}]"), "quick")

    with pytest.raises(SetupError, match=r"no probe .prometheus.; give --chaos-prometheus-url"):
        stop_watch.check(planned, {"ready": None})
    stop_watch.check(planned, {"ready": None, "prometheus": None})


def test_a_spent_budget_heals_and_ends_a_real_run(tmp_path: Path) -> None:
    """The Gateway refuses everything while Redis is down: broken off long before the fault's own end."""
    runs = tmp_path / "runs"
    path = written(tmp_path, "[{error_budget: {share: 30%, over: 1s, least: 5}}]")
    with locust(
        runs,
        "--headless",
        "--chaos-scenario",
        str(path),
        "--chaos-start-args",
        "--gateway-defects reject-with-500",
    ) as process:
        ended = process.wait()
        folder = process.run_folder()
    history = run_folder.read(folder)

    assert ended.code in (1, 3), ended.output
    assert "error_budget: " in history.ended_detail, ended.output
    assert history.ended == "interrupted"
    assert "fault primary-down healed" in ended.output
    assert verdict(folder)["state"] != "PASS"


def test_prometheus_that_goes_away_ends_a_real_run(tmp_path: Path) -> None:
    """It answers at the start and then never again."""
    path = written(tmp_path, "[{probe_gone: {probe: prometheus, for: 1s}}]")
    alive = True

    def answer(request) -> None:  # type: ignore[no-untyped-def]
        row = '{"metric":{},"value":[1,"1"]}'
        body = '{"status":"success","data":{"resultType":"vector","result":[' + row + "]}}"
        request.reply(200 if alive else 503, body)

    with serving(answer) as url:
        runs = tmp_path / "runs"
        arguments = ("--headless", "--chaos-scenario", str(path), "--chaos-prometheus-url", url)
        with locust(runs, *arguments) as process:
            process.wait_for("injected: redis-0")
            alive = False
            ended = process.wait()
            folder = process.run_folder()

    assert "no good answer of the probe prometheus" in run_folder.read(folder).ended_detail, ended.output
    assert "fault primary-down healed" in ended.output
    assert verdict(folder)["state"] == "INVALID"
