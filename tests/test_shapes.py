"""The plan: quantities, scenario files and their errors, due times, alerts as Alertmanager posts them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shapes import alerts, document, load, scenario, target, timeline, units
from shapes.alerts import Naming, Planned
from shapes.document import DocumentError, Node
from shapes.endpoints import Endpoints
from shapes.scenario import AlertRecipe, Fault, Phase, Scenario

HOME = Path(__file__).resolve().parent.parent
RECORDED = json.loads((HOME / "tests/data/alertmanager-0.25-webhooks.json").read_text())["samples"]


def small(**changes: object) -> Scenario:
    """Return a scenario of 4 alerts at 2/s, with changes."""
    plain = {
        "name": "small",
        "title": "Small",
        "target": "sandbox",
        "pace": "quick",
        "seed": 1,
        "alert": AlertRecipe(),
        "phases": (Phase("baseline", "steady", Fraction(2), 2.0),),
        "settle_s": 1.0,
        "faults": (),
        "promises": (),
    }
    return Scenario(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("60s", 60.0), ("2m", 120.0), ("1h", 3600.0), ("1.5s", 1.5)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    """A duration is a number and a unit."""
    assert units.duration_s(text) == seconds


@pytest.mark.parametrize(
    ("parse", "text", "sentence"),
    [
        (units.duration_s, "60", "'60' has no unit; write 60s"),
        (units.duration_s, 60, "60 has no unit; write 60s"),
        (units.duration_s, "soon", "'soon' is not a duration; write it like 500ms, 60s or 2m"),
        (units.rate_per_s, "20", "'20' has no unit; write 20/s or 20/min"),
        (units.rate_per_s, "0/s", "'0/s' sends nothing; a rate is greater than zero"),
        (units.share, "0.2", "'0.2' is not a share; write it like 20%"),
        (units.share, "120%", "'120%' is more than everything; a share is at most 100%"),
    ],
)
def test_a_quantity_without_unit_is_refused_with_the_mend(parse, text, sentence) -> None:  # type: ignore[no-untyped-def]
    """The message says what to write instead."""
    with pytest.raises(units.UnitError) as caught:
        parse(text)

    assert sentence == str(caught.value)


def test_rates_are_exact() -> None:
    """Ten a minute is a sixth a second, not a float near it."""
    assert Fraction(1, 6) == units.rate_per_s("10/min")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x.yaml: is empty; see scenarios/redis-master-failure.yaml for an example"),
        ("title: [", "x.yaml: line 1, column 9: YAML error, "),
        ("title: a\ntitle: b", "x.yaml: line 2, column 1: YAML error, field 'title' stands twice"),
    ],
)
def test_yaml_errors_name_file_and_place(tmp_path: Path, text: str, sentence: str) -> None:
    """A file that is no YAML says where."""
    path = tmp_path / "x.yaml"
    path.write_text(text)

    with pytest.raises(DocumentError) as caught:
        document.load(path, "x.yaml")

    assert str(caught.value).startswith(sentence)


GOOD = """
title: T
paces:
  quick:
    phases:
      - {name: baseline, rate: 10/s, for: 4s}
      - {name: chaos, rate: 10/s, for: 6s}
    faults:
      - {name: down, inject: process, at: 4s, for: 3s, component: redis-primary}
criteria:
  - zero_loss
  - recovery: {within: 30s, after: injected}
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("for: 3s", "for: '3'", "s.yaml: paces.quick.faults[0].for: '3' has no unit; write 3s"),
        ("rate: 10/s, for: 4s", "rate: 10, for: 4s", "s.yaml: paces.quick.phases[0].rate: 10 has no unit"),
        ("title: T", "titel: T", "s.yaml: unknown field 'titel'; did you mean 'title'? there are: "),
        ("  - zero_loss", "  - [zero_loss]", "s.yaml: criteria[0]: wanted fields like 'name: value'"),
        (
            "for: 3s",
            "for: 30s",
            "s.yaml: paces.quick.faults[0].for: the fault ends 34s after the first alert",
        ),
        (
            "inject: process, ",
            "",
            "s.yaml: paces.quick.faults[0]: field 'inject' is missing; add 'inject: …'",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos",
            "s.yaml: paces.quick.phases[1]: field 'rate' is missing, a steady phase has one; add",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos, pattern: storm, rate: 10/s, count: 9",
            "s.yaml: paces.quick.phases[1].rate: a phase of pattern storm has none; leave it out, or write "
            "pattern: steady",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos, pattern: duplicates",
            "s.yaml: paces.quick.phases[1]: field 'count' is missing, a duplicates phase has one; add '",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos, pattern: duplicates, count: 1",
            "s.yaml: paces.quick.phases[1].count: wanted a whole number from 2 on, got 1",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos, rate: 10/s, count: 9",
            "s.yaml: paces.quick.phases[1].count: a phase of pattern steady has none; leave it out, or write "
            "pattern: storm or duplicates",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos, pattern: strom, count: 9",
            "s.yaml: paces.quick.phases[1].pattern: unknown 'strom'; did you mean 'storm'? there are: ",
        ),
        (
            "name: chaos, rate: 10/s",
            "name: chaos, pattern: none, alert: {name: X}",
            "s.yaml: paces.quick.phases[1].alert: a phase of pattern none sends nothing; leave it out",
        ),
        (
            "title: T",
            "title: T\nalert: {resolve_after: 0s}",
            "s.yaml: alert.resolve_after: is zero; an alert",
        ),
        ("title: T", "title: T\nalert: {resolved: 0.1}", "s.yaml: alert.resolved: 0.1 is not a share; write"),
        (
            "title: T",
            "title: T\nsender: twice",
            "s.yaml: sender: unknown 'twice'; there are: alertmanager, once",
        ),
        (
            "title: T",
            "title: T\ngroup_interval: 5m",
            "s.yaml: group_interval: needs 'sender: alertmanager'; add that, or leave this out",
        ),
        (
            "title: T",
            "title: T\nsender: alertmanager\ngroup_interval: 0s",
            "s.yaml: group_interval: is zero; write for example 5m",
        ),
        ("  quick:", "  swift:", "s.yaml: paces: unknown field 'swift'; there are: plan, quick"),
        ("for: 6s", "for: 0s", "s.yaml: paces.quick.phases[1].for: is zero; a phase lasts"),
    ],
)
def test_a_scenario_error_names_file_path_and_mend(old: str, new: str, sentence: str) -> None:
    """Each is one sentence, before anything is started."""
    assert old in GOOD

    with pytest.raises(DocumentError) as caught:
        scenario.parse(Node("s.yaml", "", yaml.safe_load(GOOD.replace(old, new, 1))), "s", "quick")

    assert str(caught.value).startswith(sentence)


def test_a_scenario_is_parsed_into_values_with_units() -> None:
    """Options of faults and criteria get their unit into their name."""
    got = scenario.parse(Node("s.yaml", "", yaml.safe_load(GOOD)), "s", "quick")

    assert (Fault("down", "process", 4.0, 3.0, {"component": "redis-primary"}),) == got.faults
    assert got.promises[1].options == {"within_s": 30.0, "after": "injected"}
    assert got.alerts == 100


def test_a_target_may_be_broken_by_a_list_of_faults_of_its_own() -> None:
    """``faults_in`` holds the faults for targets of a word; a pace without that word says so, with a mend."""
    other = "{inject: chaos_mesh, at: 4s, for: 2s, manifest: m}"
    more = f"    faults_in:\n      cluster:\n        - {other}\n    faults:"
    text = GOOD.replace("    faults:", more, 1)
    got = scenario.parse(Node("s.yaml", "", yaml.safe_load(text)), "s", "quick")

    assert got.broken_in("").faults == got.faults
    assert got.broken_in("cluster").faults == (
        Fault("chaos_mesh", "chaos_mesh", 4.0, 2.0, {"manifest": "m"}),
    )
    assert got.broken_in("cluster").faults[0].place == "s.yaml: paces.quick.faults_in.cluster[0]"
    assert (got.lacks_faults_in(""), got.lacks_faults_in("cluster")) == ("", "")
    assert got.lacks_faults_in("clutser") == (
        "s: pace quick has no faults_in.clutser, by which the target is broken; "
        "did you mean 'cluster'? there are: cluster"
    )


def test_an_unknown_scenario_lists_those_that_exist() -> None:
    """A slip of the pen gets the nearest name."""
    with pytest.raises(DocumentError) as caught:
        scenario.find(HOME / "scenarios", "redis-master-failur", "quick")

    assert "did you mean 'redis-master-failure'?" in str(caught.value)


@pytest.mark.parametrize("pace", scenario.PACES)
@pytest.mark.parametrize("name", scenario.names(HOME / "scenarios"))
def test_every_shipped_scenario_parses_at_every_pace(name: str, pace: str) -> None:
    """What is shipped can be used."""
    got = scenario.find(HOME / "scenarios", name, pace)

    assert got.alerts > 0
    assert got.promises


def test_a_cluster_is_told_by_its_endpoints() -> None:
    """Lists and named values beside plain texts; the run's id is nobody's to write."""
    text = """{title: a cluster, faults_in: cluster, endpoints: {kubeconfig: k, context: kind-a,
        pods_namespace: default, pods: {redis-primary: "app=redis,role=master"},
        redis_addresses: ["redis:6379"], proxy_addresses: {redis: "127.0.0.1:16379"}}}"""
    got = target.parse(Node("t.yaml", "", yaml.safe_load(text)), "t")

    assert got.faults_in == "cluster"
    assert got.endpoints == Endpoints(
        kubeconfig="k",
        context="kind-a",
        pods_namespace="default",
        pods={"redis-primary": "app=redis,role=master"},
        redis_addresses=("redis:6379",),
        proxy_addresses={"redis": "127.0.0.1:16379"},
    )
    with pytest.raises(DocumentError, match="endpoints: unknown field 'run_id'"):
        target.parse(Node("t.yaml", "", {"title": "t", "endpoints": {"run_id": "x"}}), "t")


@pytest.mark.parametrize("name", target.names(HOME / "scenarios/targets"))
def test_every_shipped_target_parses(name: str) -> None:
    """What is shipped can be used."""
    assert target.find(HOME / "scenarios/targets", name).name == name


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.77.3.1/x", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("http://gateway:8080", False),
    ],
)
def test_only_loopback_is_loopback(url: str, loopback: bool) -> None:
    """A name that merely begins like loopback is not."""
    assert loopback == target.is_loopback(url)


def test_alert_k_is_due_at_k_over_rate() -> None:
    """The due times of an open load depend on nothing else."""
    got = list(load.plan(small()))

    assert [
        Planned(0, 0, "baseline", 0.0),
        Planned(1, 1, "baseline", 0.5),
        Planned(2, 2, "baseline", 1.0),
        Planned(3, 3, "baseline", 1.5),
    ] == got


def test_alerts_of_one_post_share_the_due_time_of_the_first() -> None:
    """Two alerts a POST at 2/s: a POST a second."""
    got = list(load.plan(small(alert=AlertRecipe(per_post=2))))

    assert [p.due_s for p in got] == [0.0, 0.0, 1.0, 1.0]


@settings(deadline=None)
@given(
    rate=st.fractions(Fraction(1, 10), 50),
    for_s=st.floats(0.1, 20).map(lambda x: round(x, 2)),
    repeat=st.floats(0, 1),
    per_post=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_a_plan_is_exact_and_ordered(
    rate: Fraction, for_s: float, repeat: float, per_post: int, seed: int
) -> None:
    """Exactly the planned number, each once, in order of due time; repeats follow their first."""
    phases = (Phase("a", "steady", rate, for_s), Phase("b", "steady", rate, for_s))
    plan = small(phases=phases, alert=AlertRecipe(repeat=repeat, per_post=per_post), seed=seed)
    got = list(load.plan(plan))

    assert plan.alerts == len(got)
    assert list(range(len(got))) == [p.number for p in got]
    assert sorted(p.due_s for p in got) == [p.due_s for p in got]
    assert all(got[p.subject].subject == p.subject <= p.number for p in got)
    assert all(0 <= p.due_s < for_s for p in got if p.phase == "a")
    assert all(Fraction(str(for_s)) * rate <= len([p for p in got if p.phase == n]) for n in "ab")
    assert got == list(load.plan(plan))


def test_an_alert_is_found_again_by_its_id_only_in_its_own_run() -> None:
    """The id is read back from an annotation, a pod name and an affected resource."""
    naming = Naming("1a2b3c4d")

    assert naming.number_in(naming.alert_id(17)) == 17
    assert naming.number_in(naming.pod(17)) == 17
    assert naming.number_in(f"prod-api:Pod:{naming.pod(17)}") == 17
    assert naming.number_in(naming.pod(12345678)) == 12345678
    assert Naming("99999999").number_in(naming.pod(17)) is None
    assert naming.number_in("chaos-01a2b3c4d-0000017") is None
    assert naming.number_in("api-1") is None


@pytest.mark.parametrize("sample", RECORDED)
def test_fingerprints_are_those_of_a_real_alertmanager(sample: str) -> None:
    """The recorded webhooks carry the fingerprint that Alertmanager 0.25 computed."""
    for alert in RECORDED[sample]["body"]["alerts"]:
        assert alert["fingerprint"] == alerts.fingerprint(alert["labels"])


def test_the_body_has_the_structure_of_a_real_alertmanagers() -> None:
    """The same keys, of the same types, as recorded for one and for three firing alerts."""
    planned = [Planned(n, n, "baseline", 0.0) for n in range(3)]
    for count, sample in ((1, "single_firing"), (3, "grouped_firing_3")):
        body = alerts.body(Naming("1a2b3c4d"), planned[:count], wall)

        assert _structure(RECORDED[sample]["body"]) == _structure(json.loads(body))


def wall(at_s: float) -> str:
    """Return the wall-clock time of a time of the run."""
    return f"2026-11-23T11:45:{51 + at_s:02.0f}.659995Z"


def test_a_resolved_alert_has_the_structure_of_a_real_alertmanagers() -> None:
    """Labels and begin of the alert that fired, an end of its own; the group is resolved when all are."""
    naming, fires = Naming("1a2b3c4d"), Planned(1, 1, "baseline", 2.0)
    ends = Planned(4, 1, "baseline", 7.0, fired_s=2.0)
    fired = json.loads(alerts.body(naming, [fires], wall))
    alone = json.loads(alerts.body(naming, [ends], wall))
    mixed = json.loads(alerts.body(naming, [ends, Planned(2, 2, "b", 7.0), Planned(3, 3, "b", 7.0)], wall))
    got = alone["alerts"][0]

    assert _structure(RECORDED["single_resolved"]["body"]) == _structure(alone)
    assert _structure(RECORDED["grouped_mixed_one_resolved"]["body"]) == _structure(mixed)
    for name, body in (("single_resolved", alone), ("grouped_mixed_one_resolved", mixed)):
        recorded = RECORDED[name]["body"]
        assert recorded["status"] == body["status"]
        assert [a["status"] for a in recorded["alerts"]] == [a["status"] for a in body["alerts"]]
    assert got["labels"] == fired["alerts"][0]["labels"]
    assert got["fingerprint"] == fired["alerts"][0]["fingerprint"]
    assert got["startsAt"] == fired["alerts"][0]["startsAt"] == wall(2.0)
    assert (got["endsAt"], fired["alerts"][0]["endsAt"]) == (wall(7.0), "0001-01-01T00:00:00Z")
    assert got["annotations"]["alertstorm_id"] == "1a2b3c4d-0000004"


def _structure(body: dict[str, object]) -> object:
    """Return keys and types, without the names of single labels and annotations."""
    free = ("labels", "annotations", "commonLabels", "commonAnnotations", "groupLabels")
    return {
        key: [_structure(a) for a in value]
        if isinstance(value, list)
        else type(value)
        if key not in free
        else dict
        for key, value in body.items()
    }


def test_every_alert_has_an_id_of_its_own_and_repeats_share_labels() -> None:
    """The id stands in the annotation; the pod label carries the id of the first with these labels."""
    body = json.loads(
        alerts.body(
            Naming("1a2b3c4d"),
            [Planned(5, 5, "chaos", 0.0), Planned(9, 5, "chaos", 0.0)],
            wall,
        )
    )
    first, repeat = body["alerts"]

    assert first["labels"] == repeat["labels"]
    assert first["labels"]["pod"] == "chaos-1a2b3c4d-0000005"
    assert [a["annotations"]["alertstorm_id"] for a in body["alerts"]] == [
        "1a2b3c4d-0000005",
        "1a2b3c4d-0000009",
    ]


def test_a_timeline_names_phases_and_orders_actions() -> None:
    """At one instant, healing comes before injecting."""
    faults = (Fault("second", "x", 1.0, 0.5, {}), Fault("first", "x", 0.5, 0.5, {}))
    phases = (Phase("baseline", "steady", Fraction(1), 1.0), Phase("chaos", "steady", Fraction(1), 1.0))
    got = timeline.Timeline(small(phases=phases, faults=faults))

    assert [got.phase_at(t) for t in (-0.1, 0.0, 1.0, 2.0)] == ["before", "baseline", "chaos", "settle"]
    assert [(a.at_s, a.verb, a.fault.name) for a in got.actions()] == [
        (0.5, "inject", "first"),
        (1.0, "heal", "first"),
        (1.0, "inject", "second"),
        (1.5, "heal", "second"),
    ]
    assert got.ends_s == 3.0
