"""What could not be decided of a scenario against a target is known before a run, from the judge himself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from locust_process import HOME

from chaos_hooks import caveats, planning
from chaos_hooks.campaign import Entry
from chaos_hooks.options import ungiven
from reports import rehearsal
from shapes import scenario, target
from shapes.target import Endpoints

SCENARIOS = [s for s in scenario.names(HOME / "scenarios") if s != "through-alertmanager"]
TARGETS = target.names(HOME / "scenarios" / "targets")


def entry(name: str, against: str) -> Entry:
    """Return a scenario against a target as a run would plan it."""
    asked = replace(ungiven(), scenario=name, target=against)
    return planning.entries(asked, asked)[0]


def lacks(name: str, against: str, **changes: object) -> dict[str, str]:
    """Return what could not be decided, with the reason and the mend."""
    planned = entry(name, against)
    changed = replace(planned.target, **changes)  # type: ignore[arg-type]
    found = rehearsal.undecidable(planned.scenario, changed, changed.endpoints)
    return {f.criterion: f"{f.got}; {f.mend}" for f in found}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_sandbox_decides_every_criterion(name: str) -> None:
    """Its file maps all that any shipped scenario is judged by."""
    assert lacks(name, "sandbox") == {}


def test_without_metrics_whatever_needs_them_is_named_with_metric_and_target() -> None:
    """Not one criterion more: what the RemediationRequests and the answers decide is decided."""
    got = lacks("redis-network-partition", "sandbox", metrics={})

    assert set(got) == {
        "steady_state", "metrics_agree", "breaker_steady", "breaker_spares", "pool_returns", "pool_bounded",
        "timeouts_detected", "breaker_opens", "fallback_seen", "recovery",
    }  # fmt: skip
    assert got["breaker_opens"] == (
        "its state was in no sample; map metrics.breaker.redis in the target file (sandbox) to what the "
        "Gateway exposes, and keep /metrics up"
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("redis-network-partition", "breaker.redis"),
        ("redis-network-partition", "fallbacks"),
        ("redis-network-partition", "redis_pool.max"),
        ("redis-network-partition", "redis_errors"),
        ("k8s-api-throttling", "k8s_backoff"),
        ("k8s-api-throttling", "k8s_queue"),
        ("crd-update-conflicts", "updates.conflicts"),
        ("buffer-expiration", "buffer.expired"),
    ],
)
def test_one_metric_that_lacks_costs_what_is_judged_by_it(name: str, key: str) -> None:
    """Its name stands in the mend of each."""
    metrics = {k: v for k, v in entry(name, "sandbox").target.metrics.items() if k != key}
    got = lacks(name, "sandbox", metrics=metrics)

    assert got
    assert all(f"metrics.{key}" in told or key in told for told in got.values()), got


def test_what_nobody_watches_is_undecidable() -> None:
    """No Sentinel, no pods and no control API."""
    plain = {"start": None, "endpoints": Endpoints(gateway_url="http://127.0.0.1:9")}

    assert set(lacks("redis-master-failure", "sandbox", **plain)) == {"sentinel_promotes"}
    assert set(lacks("gateway-pod-restart", "sandbox", **plain)) == {"restarted_within", "no_cascade"}
    assert set(lacks("redis-memory-eviction", "sandbox", **plain)) == {"no_cascade", "logs_alive"}


@pytest.mark.parametrize("against", [t for t in TARGETS if t != "sandbox"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_target_file_says_of_itself_is_among_it(name: str, against: str) -> None:
    """Each with its own reason; and what it maps too little for beside it."""
    planned = entry(name, against)
    if planned.skip:
        pytest.skip(planned.skip)
    got = lacks(name, against)
    promised = {p.criterion for p in planned.scenario.promises}

    for criterion in promised & set(planned.target.undecidable):
        assert planned.target.undecidable[criterion] in got[criterion]
    assert set(got) <= promised


def test_what_nobody_sets_is_told() -> None:
    """A cluster's Gateway gets no start_args; and who ends whose pods is not known there."""
    storms, partition = (entry(name, "plan") for name in ("gateway-pod-restart", "redis-network-partition"))
    told = caveats.caveats(storms, storms.target.endpoints)
    sandbox = entry("gateway-pod-restart", "sandbox")

    assert "GATEWAY_STORM_MODE=always, GATEWAY_STORM_BUFFER_THRESHOLD=20" in told[0]
    assert "name them in its targets (of gateway, redis-primary)" in told[1]
    assert len(caveats.caveats(partition, partition.target.endpoints)) == 1
    assert caveats.caveats(sandbox, sandbox.target.endpoints) == []
