"""Reads the ledger of the first version: a JSON line for each beginning and end, of each try "t"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from reports.history import Attempt, Outcome, Run, Try, deciding


def read(lines: Iterable[Mapping[str, Any]], run: Run, damage: list[str]) -> tuple[tuple[Attempt, ...], bool]:
    """Return an attempt for each planned alert, and whether the ledger was sealed; what is wrong is named."""
    begun: dict[int, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    ended: dict[int, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    seal: Mapping[str, Any] | None = None
    for line in lines:
        if line["r"] == "begin":
            if line.get("t", 1) in begun[line["n"]]:
                damage.append(f"ledger.jsonl: alert {line['n']} begun twice")
            begun[line["n"]][line.get("t", 1)] = line
        elif line["r"] == "end":
            if line.get("t", 1) not in begun.get(line["n"], {}):
                damage.append(f"ledger.jsonl: alert {line['n']} ended, but was not begun")
            if line.get("t", 1) in ended[line["n"]]:
                damage.append(f"ledger.jsonl: alert {line['n']} ended twice")
            ended[line["n"]][line.get("t", 1)] = line
        elif line["r"] == "seal":
            seal = line
    sealed = seal is not None and _as_sealed(seal, begun, ended, damage)
    attempts = []
    for n in sorted(begun):
        if sorted(begun[n]) != list(range(1, len(begun[n]) + 1)):
            damage.append(f"ledger.jsonl: alert {n} has no record of some of its tries")
        attempts.append(_attempt(begun[n], ended.get(n, {})))
    missing = [n for n in range(run.planned) if n not in begun]
    # Never begun means not one byte went out; only a killed writer could have begun one unrecorded, and it
    # writes the beginning down before it connects.
    attempts += [Attempt(n, n, "", 0.0, Outcome.UNSENT, "stopped") for n in missing]
    return tuple(attempts), sealed


def _as_sealed(
    seal: Mapping[str, Any],
    begun: Mapping[int, Mapping[int, Mapping[str, Any]]],
    ended: Mapping[int, Mapping[int, Mapping[str, Any]]],
    damage: list[str],
) -> bool:
    """Tell whether as many lines are there as the seal says; if not, some were taken away or added."""
    tries = sum(len(of_alert) for of_alert in begun.values())
    whole = sum(set(begun.get(n, {})) <= set(of_alert) for n, of_alert in ended.items())
    told = (seal["begun"], seal["ended"], seal.get("tries", tries))
    there = (len(begun), whole, tries)
    if told != there:
        words = "{} alerts begun and {} ended in {} tries".format
        damage.append(f"ledger.jsonl: sealed with {words(*told)}, {words(*there)} are there")
    return told == there


def _attempt(begun: Mapping[int, Mapping[str, Any]], ended: Mapping[int, Mapping[str, Any]]) -> Attempt:
    first = begun[min(begun)]
    tries = tuple(_try(begun[t], ended.get(t)) for t in sorted(begun))
    decided = tries[deciding([each.outcome for each in tries])]
    return Attempt(
        number=first["n"],
        subject=first["s"],
        phase=first["p"],
        due_s=first["due"],
        outcome=decided.outcome,
        kind=decided.kind,
        begun_s=first["at"],
        sent_s=decided.sent_s,
        done_s=decided.done_s,
        status=decided.status,
        detail=decided.detail,
        volley=first.get("v", 0),
        tries=len(tries),
        each=tries if len(tries) > 1 else (),
    )


def _try(begin: Mapping[str, Any], end: Mapping[str, Any] | None) -> Try:
    if end is None:
        detail = "begun, and the generator died before it wrote the outcome"
        return Try(Outcome.INDETERMINATE, "killed", begin["at"], detail=detail)
    return Try(
        Outcome(end["o"]), end["k"], begin["at"], end["sent"], end["done"], end["status"], end["detail"]
    )
