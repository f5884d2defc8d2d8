"""What a worker is told: of a run, whom to send to and how; of a lease, its alerts. As messages carry it.

Secrets (the target's headers) go by these messages, and never in the options, which Locust shows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from chaos_hooks import preflight
from shapes import backoff
from shapes.alert_rules import AlertRules
from shapes.alerts import Naming, Planned
from shapes.backoff import Policy
from shapes.dealer import Lease
from shapes.phase import AlertRecipe
from shapes.scenario import Scenario
from shapes.target import AnswerRules, Target

T = TypeVar("T")
_NEVER = -1.0  # Of an alert that is not a resolved one.


@dataclass(frozen=True, slots=True)
class Orders:
    """All that a worker needs to send a run's alerts; timeouts in seconds. Alerts that are pushed to an
    Alertmanager fire until ``pushed_until_s`` on the run's clock; None: they are posted as one would."""

    run_id: str
    naming: Naming
    url: str
    headers: Mapping[str, str]
    connect_timeout_s: float
    answer_timeout_s: float
    answers: AnswerRules
    policy: Policy | None
    traced: bool = False
    pushed_until_s: float | None = None
    fresh: bool = False  # Each POST on a connection of its own: by them a Service spreads the load.


def orders(
    run_id: str, naming: Naming, scenario: Scenario, target: Target, gateway_url: str, traced: bool = False
) -> Orders:
    """Return the orders for a run's load.

    Raises:
        SetupError: if the target's token cannot be read.
    """
    policy = None
    if scenario.sender == "alertmanager":
        ends_s = scenario.load_s + backoff.GRACE_S
        policy = Policy(scenario.group_interval_s, ends_s, scenario.seed)
    return Orders(
        run_id,
        naming,
        gateway_url + target.webhook_path,
        preflight.headers(target),
        target.connect_timeout_s,
        target.answer_timeout_s,
        target.answers,
        policy,
        traced,
        fresh=target.endpoints.replicas is not None,
    )


def to_wire(orders: Orders) -> dict[str, Any]:
    """Return plain values, as messages carry them."""
    naming = {**asdict(orders.naming), "storms": [list(family) for family in sorted(orders.naming.storms)]}
    return {**asdict(orders), "naming": naming}


def from_wire(data: dict[str, Any]) -> Orders:
    """Return the orders again."""
    answers = {**data["answers"], **{k: tuple(data["answers"][k]) for k in ("safe", "indeterminate")}}
    policy = Policy(**data["policy"]) if data["policy"] else None
    rules = {**data["naming"]["rules"], "fingerprint": tuple(data["naming"]["rules"]["fingerprint"])}
    storms = frozenset((name, space, severity) for name, space, severity in data["naming"]["storms"])
    naming = Naming(data["naming"]["token"], AlertRules(**rules), storms)
    return Orders(**{**data, "answers": AnswerRules(**answers), "policy": policy, "naming": naming})


class _Places(Generic[T]):
    """A table of values, and each one's place in it; made for long rows of the same object."""

    def __init__(self, row: Iterable[T]) -> None:
        self.values: list[T] = []
        self.places = array("H")
        last, place = None, -1
        for value in row:
            if value is not last:
                last = value
                if value not in self.values:
                    self.values.append(value)
                place = self.values.index(value)
            self.places.append(place)


def lease_to_wire(lease: Lease) -> dict[str, Any]:
    """Return a lease with its alerts in columns: some 29 bytes each."""
    alerts = lease.alerts
    phases = _Places(a.phase for a in alerts)
    recipes = _Places(a.recipe for a in alerts)
    columns = (
        array("I", (a.number for a in alerts)),
        array("I", (a.subject for a in alerts)),
        array("d", (a.due_s for a in alerts)),
        phases.places,
        recipes.places,
        array("I", (a.volley for a in alerts)),
        array("d", (_NEVER if a.fired_s is None else a.fired_s for a in alerts)),
        array("B", (a.unusable for a in alerts)),
    )
    return {
        "lease": lease.number,
        "accept_by_s": lease.accept_by_s,
        "phases": phases.values,
        "recipes": [asdict(recipe) for recipe in recipes.values],
        "columns": [(column.typecode, column.tobytes()) for column in columns],
    }


def alerts_from_wire(data: dict[str, Any]) -> list[Planned]:
    """Return the alerts of a lease again."""
    columns = []
    for code, packed in data["columns"]:
        column = array(code)
        column.frombytes(packed)
        columns.append(column)
    phases, recipes = data["phases"], [AlertRecipe(**recipe) for recipe in data["recipes"]]
    return [
        Planned(n, s, phases[p], due_s, recipes[r], v, None if fired_s == _NEVER else fired_s, bool(u))
        for n, s, due_s, p, r, v, fired_s, u in zip(*columns, strict=True)
    ]
