"""Drop packets between the Gateway and what it needs, in the kernel, in the target's network namespace."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from chaos_hooks import json_api, network_namespace
from chaos_hooks.clock import RunClock
from chaos_hooks.injection import Effect, InjectionError, Undo
from chaos_hooks.network_namespace import Gone, NetworkNamespace
from reports.interval import Interval
from shapes.endpoints import Endpoints
from shapes.scenario import Fault

_LEASE_MARGIN_S = 10.0
_BITES_WITHIN_S = 1.0
_POLL_S = 0.1
_DIRECTIONS = ("both", "to_server", "to_client")
_OPTIONS = ("proxy", "ports", "loss", "direction")


def lacks(endpoints: Endpoints) -> str:
    """Return what this machine lacks for it, before there is a target; empty if nothing."""
    missing = [program for program in ("nft", "nsenter") if not shutil.which(program)]
    if missing:
        return f"there is no {' and no '.join(missing)} on PATH (Debian: nftables, util-linux)"
    return "" if endpoints.network_pid else network_namespace.refused()


class Injector:
    """Options: ``proxy`` (a name of the target's proxies or a list: what listens on their ports) or ``ports``
    (a list of numbers), and of the packets to and from those ports: ``loss`` (such as 30%; 100% unless given)
    and ``direction``: both, to_server or to_client.

    The rules stand in a table of their own, in the network namespace of the target's ``network_pid``, never
    in this process's own. The lease is the kernel's: the ports are elements of a set that time out. The
    kernel also counts what it dropped, which is the evidence: at once if there was traffic, else at the heal.
    """

    def __init__(self, endpoints: Endpoints, clock: RunClock, fault: Fault) -> None:
        options = fault.options
        for name in options:
            if name not in _OPTIONS:
                raise ValueError(f"does not take {name}; it takes {', '.join(_OPTIONS)}")
        self._loss = float(options.get("loss", 1.0))
        if not 0.0001 <= self._loss <= 1:
            raise ValueError(f"loss: {options['loss']!r} is no share from 0.01% to 100%")
        self._direction = str(options.get("direction", "both"))
        if self._direction not in _DIRECTIONS:
            raise ValueError(f"direction: unknown {self._direction!r}; there are: {', '.join(_DIRECTIONS)}")
        if ("proxy" in options) == ("ports" in options):
            raise ValueError("give proxy (a name, or a list of them) or ports (a list of numbers)")
        named = options.get("proxy", [])
        self._names: list[str] = [named] if isinstance(named, str) else list(named)
        self._numbers = options.get("ports", [])
        if not isinstance(self._numbers, list) or not all(type(n) is int for n in self._numbers):
            raise ValueError(f"ports: {self._numbers!r} is no list of numbers, like [6379]")
        if not self._names and not self._numbers:
            raise ValueError("proxy or ports: is empty; without a port no packet is dropped")
        self._endpoints = endpoints
        self._clock = clock
        self._fault = fault
        self._retransmitted: int | None = None  # Before it began, known to the process that began it.
        self._table = "alertstorm_" + re.sub(r"[^A-Za-z0-9]", "_", fault.name)

    def available(self) -> str:
        """Say whether there is such a namespace, none of ours, with such ports, and no such table in it."""
        reason = lacks(self._endpoints)
        if reason:
            return reason
        if not self._endpoints.network_pid:
            return (
                "the target has no network_pid: it shares this machine's network, where no packet may be "
                "dropped; start the sandbox with --network namespace"
            )
        try:
            place = NetworkNamespace.of(self._endpoints.network_pid)
            self._ports()
            if place.counted(self._table) is not None:
                return f"a table {self._table} is there already; wait until its run is over, or delete it"
        except InjectionError as problem:
            return str(problem)
        return ""

    def inject(self, write_undo: Callable[[Undo], None]) -> Effect:
        """Lay the rules down, read them back, and wait a moment for the first packet that meets them.

        Raises:
            InjectionError: if the kernel does not take them; then none of them stands.
        """
        place, ports = NetworkNamespace.of(self._endpoints.network_pid), self._ports()
        undo = {**place.as_undo(), "table": self._table, "options": dict(self._fault.options)}
        write_undo(undo)
        self._retransmitted = place.retransmitted()
        asked_s = self._clock.now()
        place.nft(self._rules(ports))
        began = Interval(asked_s, self._clock.now())
        if place.counted(self._table) is None:
            raise InjectionError(f"table {self._table} was taken and is not there")
        told = f"{self._told(ports)} in {began}, in {place.identity}, read back"
        end_s = self._clock.now() + _BITES_WITHIN_S
        while not (dropped := place.counted(self._table)) and self._clock.now() < end_s:
            gevent.sleep(_POLL_S)
        line = f"the kernel dropped {dropped or 'no'} packets within {_BITES_WITHIN_S:g} s"
        return Effect(began, bool(dropped), (told, line))

    def heal(self, undo: Undo) -> Effect:
        """Delete the table, and tell from the kernel's count whether it bit; twice does no harm.

        Raises:
            InjectionError: if it cannot be deleted, or its namespace is gone.
        """
        place, table = NetworkNamespace.recorded(undo), str(undo["table"])
        asked_s = self._clock.now()
        dropped = place.counted(table)
        if dropped is None:
            return Effect(Interval(asked_s, self._clock.now()), True, (f"table {table} was gone already",))
        place.nft(f"delete table inet {table}")
        healed = Interval(asked_s, self._clock.now())
        if place.counted(table) is not None:
            raise InjectionError(f"table {table} was deleted and is still there")
        line = f"table {table} deleted; the kernel had dropped {dropped or 'no'} packets"
        if self._retransmitted is not None:
            line += f", and TCP sent {place.retransmitted() - self._retransmitted} segments again"
        return Effect(healed, True, (line,), bit=dropped > 0)

    def sweep(self, undo: Undo) -> str:
        """Delete what an earlier run left behind; a namespace that is gone took its rules along."""
        try:
            return self.heal(undo).evidence[0]
        except Gone as problem:
            return str(problem)

    def _ports(self) -> list[int]:
        if self._numbers:
            return list(self._numbers)
        if not self._endpoints.proxy_url:
            raise InjectionError("the target has no proxy_url to look the names up; give ports instead")
        listed: Mapping[str, Any] = json_api.call("GET", f"{self._endpoints.proxy_url}/proxies")
        for name in self._names:
            if name not in listed:
                raise InjectionError(f"there is no proxy {name!r}; there are: {', '.join(sorted(listed))}")
        return [int(str(listed[name]["listen"]).rpartition(":")[2]) for name in self._names]

    def _rules(self, ports: list[int]) -> str:
        lease_s = round(self._fault.for_s + _LEASE_MARGIN_S)
        elements = ", ".join(f"{port} timeout {lease_s}s" for port in ports)
        chance = f"numgen random mod 10000 < {round(self._loss * 10000)} " if self._loss < 1 else ""
        fields = {"both": ("dport", "sport"), "to_server": ("dport",), "to_client": ("sport",)}
        rules = "\n".join(f"tcp {f} @ports {chance}counter drop" for f in fields[self._direction])
        return (
            f"table inet {self._table} {{\n"
            f"set ports {{ type inet_service; flags timeout; elements = {{ {elements} }} }}\n"
            # Where packets come in, so that to their sender they are lost on the way.
            f"chain incoming {{ type filter hook input priority 0; policy accept;\n{rules}\n}}\n}}\n"
        )

    def _told(self, ports: list[int]) -> str:
        way = {"both": "to and from", "to_server": "to", "to_client": "from"}[self._direction]
        return f"{self._loss * 100:g}% of the packets {way} ports {', '.join(map(str, ports))} are dropped"
