"""What a fault backend promises, and how one is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chaos_hooks import injectors
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from reports.interval import Interval
from shapes.scenario import Fault
from shapes.target import Endpoints

Undo = Mapping[str, Any]


class InjectionError(Exception):
    """A fault that could not be injected or healed; the message says why."""


@dataclass(frozen=True, slots=True)
class Effect:
    """When a fault began or ended, as far as known, and what was seen of it.

    ``seen``: its effect was seen when it was injected, or its end when it was healed. ``bit`` is for a
    heal that learns only then whether the fault had an effect: True, False, or None when it cannot tell.
    ``ended`` is for an inject that saw the fault end by itself.
    """

    at: Interval
    seen: bool
    evidence: tuple[str, ...] = ()
    bit: bool | None = None
    ended: Interval | None = None


class Injector(Protocol):
    """One fault's backend; see `chaos_hooks.injectors` for what each verb must do."""

    def available(self) -> str: ...

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect: ...

    def heal(self, undo: Undo) -> Effect: ...

    def sweep(self, undo: Undo) -> str: ...


def names() -> list[str]:
    """Return the names of all fault backends: the files in `chaos_hooks/injectors/`."""
    return sorted(module.name for module in pkgutil.iter_modules(injectors.__path__))


def lacks(inject: str, endpoints: Endpoints) -> str:
    """Return what this machine lacks for a backend that says so before there is a target; else empty."""
    if inject not in names():
        return ""  # That is refused later, with those that exist.
    module = importlib.import_module(f"chaos_hooks.injectors.{inject}")
    return str(module.lacks(endpoints)) if hasattr(module, "lacks") else ""


def load(fault: Fault, endpoints: Endpoints, clock: RunClock, place: str) -> Injector:
    """Return the backend of a fault.

    Raises:
        SetupError: if there is none of that name (those that exist are listed), or it refuses the options.
    """
    if fault.inject not in names():
        raise SetupError(
            f"{place}.inject: unknown injector {fault.inject!r}; there are: {', '.join(names())}"
        )
    module = importlib.import_module(f"chaos_hooks.injectors.{fault.inject}")
    try:
        injector: Injector = module.Injector(endpoints, clock, fault)
    except (TypeError, ValueError) as problem:
        raise SetupError(f"{place}: injector {fault.inject}: {problem}") from None
    return injector


def revive(
    injector: str, name: str, undo: Undo, endpoints: Endpoints, clock: RunClock, place: str
) -> Injector:
    """Return the backend of a fault of which only the journal's undo is left, to heal or sweep it.

    Raises:
        SetupError: if there is no such backend any more, or it refuses the options.
    """
    # An undo without options is of a component, which is all that its backend wants to know.
    options = undo["options"] if "options" in undo else {"component": undo.get("component", "")}
    return load(Fault(name, injector, 0.0, 0.0, options), endpoints, clock, place)
