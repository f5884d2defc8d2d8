"""What a fault of this webhook is, read from the JSON that the control port is given."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_LEASE_S = 3600.0
# What admission calls an operation, by the verbs of a request. A patch is an UPDATE to it.
_OPERATIONS = {"create": "CREATE", "update": "UPDATE", "patch": "UPDATE", "delete": "DELETE"}
_FIELDS = (
    "name",
    "verbs",
    "resource",
    "path_prefix",
    "status",
    "retry_after_s",
    "delay_s",
    "reset",
    "probability",
    "times",
    "for_s",
)


class BadOrder(Exception):
    """A body that asks for no fault that a webhook can do; one sentence that names the field and the mend."""


@dataclass(frozen=True, slots=True)
class Order:
    """A fault as asked for. ``operations`` are admission's words; ``resource`` and ``times`` None: any.

    What matches is refused with ``status``, and with a Retry-After of ``retry_after_s`` if there is one, by
    a chance of ``probability``, for ``for_s`` seconds.
    """

    name: str
    operations: tuple[str, ...]
    resource: str | None
    status: int
    retry_after_s: int | None
    probability: float
    times: int | None
    for_s: float

    def concerns(self, operation: str, resource: str) -> bool:
        """Return whether a write is of the kind that this fault refuses."""
        return operation in self.operations and self.resource in (None, resource)


def read(body: object) -> Order:
    """Return the order of a decoded body.

    Raises:
        BadOrder: naming the field.
    """
    if not isinstance(body, dict):
        raise BadOrder("the body is no JSON object")
    for field in body:
        if field not in _FIELDS:
            raise BadOrder(f"{field}: is no field of a fault; there are: {', '.join(_FIELDS)}")
    if body.get("path_prefix"):
        raise BadOrder("path_prefix: admission tells no path; name a resource and verbs instead")
    if body.get("reset"):
        raise BadOrder("reset: a webhook can refuse a request, not cut its connection; give a status")
    if body.get("delay_s"):
        raise BadOrder("delay_s: a webhook that is late is passed over; delay with k8s-api-latency instead")
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise BadOrder("name: is missing; a fault is found again by its name")
    status = _whole(body, "status", 400, 599)
    if status is None:
        raise BadOrder("status: is missing; give the code of the refusal, such as 429")
    resource = body.get("resource")
    if resource is not None and (not isinstance(resource, str) or not resource):
        raise BadOrder(f"resource: {resource!r} is no text")
    return Order(
        name=name,
        operations=_operations(body.get("verbs")),
        resource=resource,
        status=status,
        retry_after_s=_whole(body, "retry_after_s", 0, 86_400),
        probability=_number(body, "probability", 1.0) if "probability" in body else 1.0,
        times=_whole(body, "times", 1, 10**9),
        for_s=_number(body, "for_s", MAX_LEASE_S),
    )


def _operations(verbs: object) -> tuple[str, ...]:
    if verbs is None:
        return tuple(sorted(set(_OPERATIONS.values())))
    if not isinstance(verbs, list) or not verbs:
        raise BadOrder(f'verbs: {verbs!r} is no list of verbs; write ["create", "update"]')
    for verb in verbs:
        if verb not in _OPERATIONS:
            known = ", ".join(_OPERATIONS)
            raise BadOrder(
                f"verbs: admission is asked for writes only, not for {verb!r}; there are: {known}; "
                "manifests/throttling/apf refuses reads, too"
            )
    return tuple(sorted({_OPERATIONS[verb] for verb in verbs}))


def _number(body: dict[str, object], field: str, most: float) -> float:
    value = body.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadOrder(f"{field}: {value!r} is no number")
    if not 0 < value <= most:
        raise BadOrder(f"{field}: {value!r} is not above 0 and at most {most:g}")
    return float(value)


def _whole(body: dict[str, object], field: str, least: int, most: int) -> int | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadOrder(f"{field}: {value!r} is no whole number from {least} to {most}")
    return value
