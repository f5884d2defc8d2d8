"""A process's network namespace that is not ours: entered with nsenter, changed with nft, no root needed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_hooks.injection import InjectionError, Undo

_TIMEOUT_S = 10.0


class Gone(InjectionError):
    """The namespace that was meant is not there any more."""


@dataclass(frozen=True, slots=True)
class NetworkNamespace:
    """As its process's /proc shows it; ``identity`` is the kernel's name for it, like net:[4026532178].

    Whoever made a user namespace may enter it without root. Process ids come round again, so that the
    identity is compared before each change.
    """

    pid: int
    identity: str

    @classmethod
    def of(cls, pid: str) -> NetworkNamespace:
        """Return the one a process is in.

        Raises:
            InjectionError: if there is no such process, or it shares ours.
        """
        try:
            identity = os.readlink(f"/proc/{int(pid)}/ns/net")
        except (OSError, ValueError) as problem:
            raise Gone(f"network_pid: process {pid} cannot be looked at ({problem})") from None
        if identity == os.readlink("/proc/self/ns/net"):
            raise InjectionError(
                f"network_pid: process {pid} shares this process's network, where no packet may be dropped"
            )
        return cls(int(pid), identity)

    @classmethod
    def recorded(cls, undo: Undo) -> NetworkNamespace:
        """Return the one that an undo means.

        Raises:
            Gone: if it is not there any more.
        """
        wanted = cls(int(undo["pid"]), str(undo["identity"]))
        try:
            now = cls.of(str(wanted.pid)).identity
        except InjectionError as problem:
            raise Gone(f"its network namespace {wanted.identity} is gone: {problem}") from None
        if now != wanted.identity:
            raise Gone(f"its network namespace {wanted.identity} is gone; process {wanted.pid} is another's")
        return wanted

    def as_undo(self) -> Mapping[str, Any]:
        """Return what `recorded` needs."""
        return {"pid": self.pid, "identity": self.identity}

    def nft(self, ruleset: str) -> None:
        """Have the kernel take a ruleset, all of it or nothing.

        Raises:
            InjectionError: with nft's own words.
        """
        self._run(["nft", "-f", "-"], ruleset)

    def counted(self, table: str) -> int | None:
        """Return how many packets the rules of a table met; None if there is no such table.

        Raises:
            InjectionError: if nft cannot be asked.
        """
        listed = json.loads(self._run(["nft", "-j", "list", "ruleset"]))["nftables"]
        tables = [entry["table"]["name"] for entry in listed if "table" in entry]
        if table not in tables:
            return None
        rules = [e["rule"] for e in listed if "rule" in e and e["rule"]["table"] == table]
        return sum(x["counter"]["packets"] for rule in rules for x in rule["expr"] if "counter" in x)

    def retransmitted(self) -> int:
        """Return how many TCP segments this namespace's kernel has sent again so far.

        Raises:
            Gone: if its process is.
        """
        try:
            lines = Path(f"/proc/{self.pid}/net/snmp").read_text(encoding="ascii").splitlines()
        except OSError as problem:
            raise Gone(f"process {self.pid}: {problem.strerror}") from None
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return int(values[names.index("RetransSegs")])

    def _run(self, command: list[str], told: str = "") -> str:
        enter = ["nsenter", "--target", str(self.pid), "--net"]
        if os.readlink(f"/proc/{self.pid}/ns/user") != os.readlink("/proc/self/ns/user"):
            enter += ["--user", "--preserve-credentials"]
        try:
            done = subprocess.run(
                [*enter, "--", *command],
                input=told,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise InjectionError(f"{command[0]} in {self.identity}: {problem}") from None
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise InjectionError(f"{command[0]} in {self.identity}: {said[:300]}")
        return done.stdout


def refused() -> str:
    """Return why this machine lets us make no network namespace with rules in it; empty if it does."""
    try:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "nft", "list", "ruleset"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"unshare: {problem}"
    if done.returncode == 0:
        return ""
    said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return (
        f"user namespaces with nft are refused here ({said[:200]}); allow them "
        "(kernel.unprivileged_userns_clone, AppArmor), or use the toxiproxy injector"
    )
