"""A real Prometheus evaluates the plan's queries; what was computed from the samples agrees with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import real_tools
from locust_process import headless

from reports import queries, writing
from reports.signals import METRICS

pytestmark = real_tools.needs("prometheus")


def test_the_plans_queries_agree_with_the_samples(tmp_path: Path) -> None:
    """Maxima of gauges and growths of counters: `increase` extrapolates and Prometheus looks once a second,
    so growths agree within a fifth and two, and Prometheus sees no higher maximum than five looks a second
    did; but a call of a millisecond is in the gauge of connections for whoever looks just then.
    What has grown for the one has grown for the other."""
    runs = tmp_path / "runs"
    program = real_tools.find("prometheus")
    ended = headless(runs, "--chaos-start-args", f"--prometheus {program}")
    folder = (runs / "latest").resolve()
    told = json.loads((folder / "promql.json").read_text())
    samples = writing.read_run(folder).samples(METRICS)
    asked = {query.name: query for query in queries.QUERIES}
    compared = 0

    assert ended.code == 0, ended.output
    assert told["source"].startswith("Prometheus at http://127.0.0.1:")
    for row in told["figures"]:
        query, real = asked[row["name"]], row["value"]
        ours = queries.sampled(query, samples)
        assert row["error"] == "", row
        if real is None or ours is None:
            continue  # No series of it yet, for the one or the other: nothing was counted.
        compared += 1
        if query.how == queries.MOST:
            assert real <= ours + 2.0, row
        else:
            assert real == pytest.approx(ours, rel=0.2, abs=2.0), (row, ours)
    received = next(row["value"] for row in told["figures"] if row["name"] == "alerts received")

    assert compared >= 5
    assert received == pytest.approx(200, rel=0.2)
