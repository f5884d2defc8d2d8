"""What a supervisor's list of components says, as numbers: who runs, as which process, and who died how."""

from __future__ import annotations

from typing import Any


def read(answer: Any) -> dict[str, float]:
    """Return, for each component of an answer of ``GET /components``:

    ``running:NAME`` (1 or 0), ``pid:NAME`` (only while it runs), ``starts:NAME``, ``killed:NAME`` (deaths
    that the harness asked for) and ``exits:NAME`` (all others), counted since the supervisor began.

    Raises:
        ValueError: if the answer is no such list.
    """
    try:
        values: dict[str, float] = {}
        for component in answer["components"]:
            values |= _one(component)
    except (TypeError, LookupError, AttributeError) as problem:
        what = f"{type(problem).__name__}: {problem}"
        raise ValueError(f"the control API's answer is no list of components ({what})") from None
    return values


def _one(component: dict[str, Any]) -> dict[str, float]:
    name, pid = component["name"], component["pid"]
    killed = sum(death["why"] == "killed by control" for death in component["exits"])
    values = {
        f"running:{name}": float(component["state"] == "running"),
        f"starts:{name}": float(component["starts"]),
        f"killed:{name}": float(killed),
        f"exits:{name}": float(len(component["exits"]) - killed),
    }
    return values if pid is None else {**values, f"pid:{name}": float(pid)}
