"""The workers as the master knows them: who they are, whether they are here, and how their clocks differ."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import gevent

from chaos_hooks import refusal
from chaos_hooks.edition import edition
from chaos_hooks.options import Options
from chaos_hooks.peer_clock import Estimate
from chaos_hooks.post import FLUSH_S, MESSAGE, NO_MORE, Post, Send

if TYPE_CHECKING:
    from locust.runners import MasterRunner

_MISSING = "missing"  # Locust's word for a worker whose heartbeats stay away.


@dataclass(slots=True)
class Member:
    """A worker that was welcomed; ``clock`` is its own estimate of how its clock differs from ours."""

    client_id: str
    name: str
    facts: dict[str, Any]
    post: Post
    clock: Estimate | None = None

    @property
    def title(self) -> str:
        """Return how it is called in sentences."""
        return f"{self.name} ({self.facts['host']}, process {self.facts['pid']})"


class Attendant(Protocol):
    """Who deals with the workers while a run goes on."""

    def joined(self, member: Member) -> None:
        """Take note of a worker that is ready."""

    def obey(self, member: Member, name: str, data: Any) -> None:
        """Take a worker's command."""

    def rows(self, member: Member, begins: int, data: bytes) -> int:
        """Take a piece of a worker's ledger; return from where on the next is wanted."""


class Fleet:
    """Welcomes workers of the same edition and with the same options, and refuses others with a sentence."""

    def __init__(
        self,
        runner: MasterRunner,
        given: Options,
        say: Callable[[str], None],
        send: Send,
        least: int = 1,
    ) -> None:
        """Begin to welcome workers; ``least`` are wanted before a run begins.

        Args:
            send: sends a Locust message, by type, data and worker; what cannot be sent is as if it were lost.
        """
        self.least = least
        self.members: dict[str, Member] = {}
        self.refused: list[str] = []
        self._runner = runner
        self._given = given
        self._say = say
        self._send = send
        self._edition = edition()
        self._session = secrets.token_hex(4)
        self._attendant: Attendant | None = None
        self._run = ""
        runner.register_message(MESSAGE, self._on_message)
        gevent.spawn(self._flush)

    @property
    def ready(self) -> list[Member]:
        """Return the workers that are here and whose clocks are known."""
        return [member for member in self.members.values() if member.clock and self.is_here(member)]

    @property
    def missing(self) -> str:
        """Return what there is to be said when a run cannot begin for want of workers."""
        there = len(self.ready)
        refused = f", {len(self.refused)} refused" if self.refused else ""
        return (
            f"{there} of {self.least} workers are ready{refused}; start others with locust --worker "
            f"--master-host HOST --master-port {self._runner.master_bind_port}, or lower --expect-workers"
        )

    @property
    def is_manned(self) -> bool:
        """Return whether a worker is here."""
        return any(self.is_here(member) for member in self.members.values())

    def count(self) -> int:
        """Return how many workers are ready."""
        return len(self.ready)

    def dismiss(self, main: gevent.Greenlet, sentence: str) -> None:
        """End a headless master that still waits for workers, and those that are there; exit code 2."""
        code = refusal.say(sentence)
        self._runner.quit()
        gevent.kill(main, SystemExit(code))

    def is_here(self, member: Member) -> bool:
        """Return whether Locust has heard of a worker in the last seconds."""
        node = self._runner.clients.get(member.client_id)
        return node is not None and node.state != _MISSING

    def attend(self, run: str, attendant: Attendant | None) -> None:
        """Let somebody deal with the workers from now on, for a run; those that are ready join at once."""
        self._run, self._attendant = run, attendant
        if attendant:
            for member in self.ready:
                attendant.joined(member)

    def _flush(self) -> None:
        while True:
            gevent.sleep(FLUSH_S)
            for member in list(self.members.values()):
                # To who is gone nothing is sent: Locust's messages to it would only pile up.
                if self.is_here(member):
                    member.post.flush()

    def _on_message(self, msg: Any, **_: Any) -> None:
        message, client_id = msg.data, msg.node_id
        member = self.members.get(client_id)
        if message["kind"] == "hello":
            self._hello(client_id, message)
        elif member is None or message.get("session") != self._session:
            self._transmit(client_id, {"kind": "who"})
        elif message["kind"] == "ping":
            member.post.tell("pong", asked_s=message["asked_s"], theirs_s=time.monotonic())
        elif message["kind"] == "rows":
            self._rows(member, message)
        elif not member.post.take(message):
            self._dispatch(member, message["kind"], message)

    def _rows(self, member: Member, message: dict[str, Any]) -> None:
        member.post.heard_s = time.monotonic()
        wanted = NO_MORE
        if self._attendant and message["run"] == self._run:
            wanted = self._attendant.rows(member, message["begins"], message["data"])
            gevent.sleep(0)  # Locust takes message after message; others must have their turn between.
        member.post.tell("wanted", run=message["run"], begins=wanted)

    def _hello(self, client_id: str, facts: dict[str, Any]) -> None:
        if client_id not in self.members:
            if why := self._objection(facts):
                if client_id not in self.refused:
                    self.refused.append(client_id)
                    self._say(f"worker {facts['host']}, process {facts['pid']}, is refused: {why}")
                self._transmit(client_id, {"kind": "refused", "why": why})
                # Forgotten at once: Locust ends a master whose last worker leaves, were it a refused one. If
                # the answer is lost, the worker's next sign of life makes Locust know it again.
                with contextlib.suppress(KeyError):
                    del self._runner.clients[client_id]
                return
            name = f"worker-{self._runner.get_worker_index(client_id)}"
            post = Post(
                self._session,
                lambda message: self._transmit(client_id, message),
                lambda command, data: self._obey(client_id, command, data),
            )
            self.members[client_id] = Member(client_id, name, facts, post)
        told = {"kind": "welcome", "session": self._session, "name": self.members[client_id].name}
        self._transmit(client_id, told)

    def _objection(self, facts: dict[str, Any]) -> str:
        """Return why a worker cannot take part, with the mend; empty if it can."""
        if facts["edition"] != self._edition:
            return f"it is {facts['edition']}, the master {self._edition}; install the same on both"
        mine = asdict(self._given)
        for option, theirs in facts["options"].items():
            if mine.get(option) != theirs:
                flag, ours = f"--chaos-{option.replace('_', '-')}", mine.get(option)
                return f"{flag}: it was given {theirs!r}, the master {ours!r}; leave it out on workers"
        return ""

    def _obey(self, client_id: str, command: str, data: Any) -> None:
        member = self.members[client_id]
        if command == "clock":
            first = member.clock is None
            member.clock = Estimate(data["offset_s"], data["error_s"])
            if first and self._attendant:
                self._attendant.joined(member)
        self._dispatch(member, command, data)

    def _dispatch(self, member: Member, name: str, data: Any) -> None:
        if self._attendant and data.get("run") in (self._run, None):
            self._attendant.obey(member, name, data)

    def _transmit(self, client_id: str, message: dict[str, Any]) -> None:
        self._send(MESSAGE, message, client_id)
