"""The ASGI application: reads the request, finds who answers, and sends the answer or the stream.

Two layers, with a place for a third between them: `Entrance` reads what a request asks, leaves it in the
scope as `scope["alertstorm.request"]` and counts the answer; `Server` answers. Something that
disturbs answers goes between the two: it sees verb, resource and name, and its answers are counted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from sandbox.kubernetes_api import bodies, discovery, openapi
from sandbox.kubernetes_api.cluster import Cluster
from sandbox.kubernetes_api.metrics import RequestCounts
from sandbox.kubernetes_api.request import RequestInfo, read_request
from sandbox.kubernetes_api.resources import Resource
from sandbox.kubernetes_api.status import (
    ApiError,
    bad_request,
    method_not_allowed,
    no_such_path,
    not_acceptable,
    too_large,
)
from sandbox.kubernetes_api.verbs import Answer, Call, perform, require_shape
from sandbox.kubernetes_api.watch import Watch, read_watch

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST = "alertstorm.request"
UNANSWERED = "alertstorm.unanswered"
_HEALTH = ("/healthz", "/livez", "/readyz")
_CLIENT_GONE_CODE = 499  # as proxies write it in their logs


class ClientGone(Exception):
    """The client closed the connection before its request was complete; there is nobody to answer."""


class Entrance:
    """The outer layer: what is asked is read once, and every answer is counted, whoever gives it."""

    def __init__(self, inner: AsgiApp, cluster: Cluster, counts: RequestCounts) -> None:
        self._inner = inner
        self._cluster = cluster
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = read_request(scope["method"], scope["path"], scope["query_string"])
        scope[REQUEST] = info
        code = 0

        async def note(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                self._count(info, code)
            await send(message)

        try:
            await self._inner(scope, receive, note)
        finally:
            if not code:
                # Nothing was sent: a layer below says under which code, or the server failed.
                self._count(info, scope.get(UNANSWERED, 500))

    def _count(self, info: RequestInfo, code: int) -> None:
        known = self._cluster.registry.find(info.group, info.version, info.resource) is not None
        place = (info.group, info.version, info.resource, info.subresource) if known else ("", "", "", "")
        self._counts.add(info.verb, *place, code)


class Server:
    """The inner layer: answers every request from the cluster."""

    def __init__(self, cluster: Cluster, counts: RequestCounts, bookmark_every_s: float) -> None:
        self._cluster = cluster
        self._counts = counts
        self._bookmark_every_s = bookmark_every_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        info: RequestInfo = scope[REQUEST]
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            # The whole body is read first: from here to the answer nothing else runs, so a verb is atomic.
            content = b"" if info.method == "GET" else await _read_body(receive)
            if not info.resource:
                await self._answer_other(info, send)
                return
            _require_json_taker(headers.get("accept", ""))
            if (info.group, info.version, info.resource) == discovery.ACCESS_REVIEWS:
                await _send_answer(send, _review(info, content, headers))
                return
            resource = self._resource(info)
            if info.verb == "watch":
                await self._stream(info, resource, receive, send)
                return
            call = Call(info, resource, content, headers.get("content-type", ""))
            answer = perform(self._cluster, call)
        except ApiError as error:
            answer = Answer(error.code, error.body())
        except RecursionError:
            refusal = bad_request("the object is nested too deeply")
            answer = Answer(refusal.code, refusal.body())
        except ClientGone:
            scope[UNANSWERED] = _CLIENT_GONE_CODE
            return
        await _send_answer(send, answer)

    def _resource(self, info: RequestInfo) -> Resource:
        resource = self._cluster.registry.find(info.group, info.version, info.resource)
        if resource is None:
            raise no_such_path()
        require_shape(info, resource)
        return resource

    async def _answer_other(self, info: RequestInfo, send: Send) -> None:
        if info.method != "GET":
            raise method_not_allowed()
        path, registry = info.path, self._cluster.registry
        if path == "/metrics":
            await _send(send, 200, self._counts.content_type, self._counts.text())
        elif path in _HEALTH or path.startswith(tuple(f"{health}/" for health in _HEALTH)):
            await _send(send, 200, "text/plain; charset=utf-8", b"ok")
        elif path == "/":
            groups = discovery.groups_and_versions(registry)
            await _send_answer(send, Answer(200, discovery.root_paths(groups)))
        else:
            finder = openapi.document if path.startswith("/openapi/") else discovery.document
            document = finder(registry, path)
            if document is None:
                raise no_such_path()
            await _send_answer(send, Answer(200, document))

    async def _stream(self, info: RequestInfo, resource: Resource, receive: Receive, send: Send) -> None:
        request = read_watch(info.query, resource, info.namespace or None)
        watch = Watch(self._cluster.store, resource, request, self._bookmark_every_s)
        start = {"type": "http.response.start", "status": 200, "headers": _headers("application/json")}
        await send(start)
        # An empty piece makes the head of the answer leave at once, though there may be no event for long.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        leaving = asyncio.ensure_future(_stop_when_gone(receive, watch))
        try:
            async with aclosing(watch.lines()) as lines:
                async for piece in lines:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()


async def _stop_when_gone(receive: Receive, watch: Watch) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watch.stop()


async def _read_body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size_bytes, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size_bytes += len(pieces[-1])
        more = message.get("more_body", False)
        if size_bytes > bodies.LIMIT_BYTES:
            raise too_large(bodies.LIMIT_BYTES)
    return b"".join(pieces)


def _require_json_taker(accept: str) -> None:
    if accept and not any(taken in accept for taken in ("json", "*/*", "application/*")):
        raise not_acceptable()


def _review(info: RequestInfo, content: bytes, headers: dict[str, str]) -> Answer:
    if info.verb != "create" or info.name:
        raise method_not_allowed()
    # kubectl sends this one as protobuf. The answer is the same for every question, so it is not read then.
    is_protobuf = bodies.media_type(headers.get("content-type", "")) == bodies.PROTOBUF
    body = {} if is_protobuf else bodies.decode(content, headers.get("content-type", ""))
    return Answer(201, discovery.access_review(bodies.require_object(body)))


def _headers(content_type: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", content_type.encode("latin-1"))]


async def _send_answer(send: Send, answer: Answer) -> None:
    content = json.dumps(answer.body, separators=(",", ":")).encode()
    await _send(send, answer.code, "application/json", content)


async def _send(send: Send, code: int, content_type: str, content: bytes) -> None:
    headers = [*_headers(content_type), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def build(
    cluster: Cluster,
    bookmark_every_s: float,
    layer: Callable[[AsgiApp], AsgiApp] = lambda inner: inner,
    counts: RequestCounts | None = None,
) -> AsgiApp:
    """The whole application; `layer` wraps what answers and stands behind what counts.

    `counts`: those of another application over the same cluster, when both shall be counted together.
    """
    counts = counts or RequestCounts()
    return Entrance(layer(Server(cluster, counts, bookmark_every_s)), cluster, counts)
