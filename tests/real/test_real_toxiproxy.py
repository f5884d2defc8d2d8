"""Toxiproxy's own server: it still answers as recorded, so what the sandbox's is held against is real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import real_tools
import test_toxiproxy_transcript as transcript
import toxiproxy_server
from locust_process import locust, statuses

SERVER = real_tools.find("toxiproxy-server")
pytestmark = real_tools.needs("toxiproxy-server")

# Built from the module proxy, the real server calls itself "git", and its JSON errors are worded by the Go
# that built it; both were seen to differ from the recorded build.
VERSION = {n for n, e in enumerate(transcript.EXCHANGES) if e["request"]["path"] == "/version"}


@pytest.fixture(scope="module")
def answers() -> Iterator[list[transcript.Answer]]:
    """All recorded requests, in their order, sent to one fresh real server."""
    with toxiproxy_server.running(program=SERVER) as server:
        yield transcript.replay(server.port)


@pytest.mark.parametrize("number", range(len(transcript.EXCHANGES)))
def test_the_real_server_answers_as_recorded(number: int, answers: list[transcript.Answer]) -> None:
    """Status, headers and body, as the sandbox's own proxy is tested."""
    if number in VERSION:
        assert answers[number].status == 200
        assert answers[number].body == '{"version": "git"}\n'
        return
    if number in transcript.METRICS_OF_GO:
        assert answers[number].status == 200
        return
    transcript.compare(number, answers[number])


@pytest.mark.parametrize("scenario", ["redis-network-partition", "redis-network-degraded"])
def test_a_network_scenario_has_the_same_verdict_on_both(scenario: str, tmp_path: Path) -> None:
    """Each criterion is decided alike, whether the sandbox's own proxy breaks the network or Toxiproxy."""
    found = {}
    for program, arguments in {
        "ours": [],
        "real": ["--chaos-start-args", f"--toxiproxy-server {SERVER}"],
    }.items():
        runs = tmp_path / program / "runs"
        runs.parent.mkdir()
        env = {} if program == "real" else {"PATH": str(tmp_path)}  # Where no toxiproxy-server is.
        with locust(runs, "--headless", "--chaos-scenario", scenario, *arguments, env=env) as process:
            ended = process.wait()
        facts = json.loads((process.run_folder() / "run.json").read_text())["target_facts"]
        assert facts["proxy_server"].startswith("sandbox.toxiproxy") == (program == "ours"), facts
        found[program] = (ended.code, statuses(process.run_folder()))
        if found[program][1]["load_on_time"] != "PASS":
            pytest.skip(f"the machine starved the load of the run on {program}: neither verdict counts")

    assert found["real"] == found["ours"]
    assert found["ours"][0] == 0, found
