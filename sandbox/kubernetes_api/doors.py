"""Doors: the ports of the one server; behind each the API, the API with faults, or who sets the faults."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

from sandbox.kubernetes_api.app import AsgiApp, Receive, Scope, Send, build
from sandbox.kubernetes_api.cluster import Cluster
from sandbox.kubernetes_api.fault_layer import FaultLayer
from sandbox.kubernetes_api.faults import FaultBook
from sandbox.kubernetes_api.faults_admin import FaultsAdmin
from sandbox.kubernetes_api.metrics import RequestCounts


class Doors:
    """An ASGI application that is another one on each local port."""

    def __init__(self, by_port: Mapping[int, AsgiApp]) -> None:
        self._by_port = by_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._by_port[scope["server"][1]](scope, receive, send)


def clean(cluster: Cluster, bookmark_every_s: float, port: int) -> Doors:
    """The API alone."""
    return Doors({port: build(cluster, bookmark_every_s)})


def with_faults(
    cluster: Cluster, bookmark_every_s: float, port: int, faulty_port: int, faults_port: int
) -> Doors:
    """The API on two ports with one count of requests; on the faulty one, what the faults port asks for."""
    counts = RequestCounts()
    book = FaultBook(time.monotonic, random.Random().random)
    return Doors(
        {
            port: build(cluster, bookmark_every_s, counts=counts),
            faulty_port: build(cluster, bookmark_every_s, lambda inner: FaultLayer(inner, book), counts),
            faults_port: FaultsAdmin(book),
        }
    )
