"""What pods leave in a run's folder: their logs as they come, and the events of their namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import kubernetes.client
import urllib3.exceptions

from chaos_hooks.append_file import AppendFile
from chaos_hooks.errors import RecordError
from chaos_hooks.injection import InjectionError
from chaos_hooks.kubernetes_api import client_of
from shapes.target import Endpoints

EVENTS = "events.json"
_LOOK_S = 1.0
_OVERLAP_S = 3
_TIMEOUT_S = 10.0
_SILENT_S = 600.0  # A pod that logs nothing for longer is followed anew.
_MOST_EVENTS = 5000
_PART = 65536
_EXPECTED = (kubernetes.client.ApiException, urllib3.exceptions.HTTPError, OSError)


class PodRecords:
    """Streams the log of every container of the target's ``endpoints.pods`` into ``logs/COMPONENT.log``, from
    the start of the run on; each line with the time that the API gives it, and the pod's name. A pod that
    comes later is followed, too. ``problems`` tells what could not be read.
    """

    def __init__(self, endpoints: Endpoints, folder: Path) -> None:
        self._endpoints = endpoints
        self._folder = folder
        self._followed: dict[tuple[str, str], gevent.Greenlet] = {}
        self._files: dict[str, AppendFile] = {}
        self._greenlets: list[gevent.Greenlet] = []
        self.problems: dict[str, str] = {}

    def start(self) -> None:
        """Begin to follow."""
        try:
            self._core = kubernetes.client.CoreV1Api(
                client_of(self._endpoints.kubeconfig, self._endpoints.context)
            )
        except InjectionError as problem:
            self.problems["kubeconfig"] = str(problem)
            return
        for component in self._endpoints.pods:
            self._files[component] = AppendFile(self._folder / "logs" / f"{component}.log")
            self._greenlets.append(gevent.spawn(self._look, component))

    def stop(self) -> None:
        """Follow no more, keep the events, and close."""
        gevent.killall([*self._greenlets, *self._followed.values()])
        if self._files:
            self._keep_events()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _look(self, component: str) -> None:
        """Follow each pod of a component, and each of its containers' lives."""
        since_s: int | None = 1
        while True:
            try:
                found = self._core.list_namespaced_pod(
                    self._endpoints.pods_namespace,
                    label_selector=self._endpoints.pods[component],
                    _request_timeout=_TIMEOUT_S,
                )
            except _EXPECTED as problem:
                self.problems[component] = _short(problem)
            else:
                for pod in found.items:
                    for status in (pod.status and pod.status.container_statuses) or ():
                        self._follow(component, pod, status, since_s)
                since_s = None  # Whoever comes later is read from its begin.
            gevent.sleep(_LOOK_S)

    def _follow(self, component: str, pod: Any, status: Any, since_s: int | None) -> None:
        state = status.state
        if not (state and (state.running or state.terminated)):
            return
        life = (pod.metadata.uid, f"{status.name}/{status.restart_count}")
        before = self._followed.get(life)
        if before is not None and before.dead and state.running:
            before, since_s = None, _OVERLAP_S  # The stream was cut; a line may stand twice, none is missed.
        if before is None:
            where = (component, pod.metadata.name, status.name, since_s)
            self._followed[life] = gevent.spawn(self._stream, *where)

    def _stream(self, component: str, pod: str, container: str, since_s: int | None) -> None:
        more: Any = {} if since_s is None else {"since_seconds": since_s}
        try:
            answer: Any = self._core.read_namespaced_pod_log(
                pod,
                self._endpoints.pods_namespace,
                container=container,
                follow=True,
                timestamps=True,
                _preload_content=False,
                _request_timeout=(_TIMEOUT_S, _SILENT_S),
                **more,
            )
            for line in _lines(answer):
                at, _, text = line.partition(b" ")
                self._files[component].write(at + b" " + pod.encode() + b": " + text + b"\n")
        except (*_EXPECTED, RecordError) as problem:
            self.problems[pod] = _short(problem)

    def _keep_events(self) -> None:
        try:
            found: Any = self._core.list_namespaced_event(
                self._endpoints.pods_namespace, limit=_MOST_EVENTS, _request_timeout=_TIMEOUT_S
            )
            told = {
                "namespace": self._endpoints.pods_namespace,
                "whole": not found.metadata._continue,
                "events": [_event(each) for each in found.items],
                "problems": self.problems,
            }
        except _EXPECTED as problem:
            told = {"problems": {**self.problems, "events": _short(problem)}}
        (self._folder / EVENTS).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _event(each: Any) -> dict[str, object]:
    last = each.last_timestamp or each.event_time or each.first_timestamp
    return {
        "at": last.isoformat() if last else None,
        "type": each.type,
        "reason": each.reason,
        "object": f"{each.involved_object.kind}/{each.involved_object.name}",
        "count": each.count or 1,
        "message": each.message,
    }


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    # Not `stream`: that waits for the end of an answer which comes in no chunks.
    while part := answer.read1(_PART):
        *whole, rest = (rest + part).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _short(problem: Exception) -> str:
    return f"{getattr(problem, 'status', '') or type(problem).__name__}: {' '.join(str(problem).split())}"[
        :200
    ]
