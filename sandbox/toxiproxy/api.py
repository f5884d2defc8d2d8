"""API: the routes of Toxiproxy 2.12.0's HTTP API, with its statuses, headers and bodies.

https://github.com/Shopify/toxiproxy/tree/v2.12.0#http-api
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from sandbox.toxiproxy import go_json
from sandbox.toxiproxy.errors import ApiError
from sandbox.toxiproxy.http_server import Request, Response
from sandbox.toxiproxy.proxies import Proxies

VERSION = "2.12.0"
_JSON = {"content-type": "application/json"}
_TEXT = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}

Action = Callable[[list[str], bytes], Awaitable[Response]]


def _json(status: int, value: object) -> Response:
    return Response(status, dict(_JSON), go_json.render(value).encode("utf-8", "replace"))


def _error(error: ApiError) -> Response:
    """Go's http.Error: the body is JSON and the type says text, as Toxiproxy's answers are."""
    body = go_json.render({"error": error.message, "status": error.status}) + "\n"
    return Response(error.status, dict(_TEXT), body.encode("utf-8", "replace"))


class Api:
    """Answers requests, one at a time: what one has changed is there for the next."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._one_at_a_time = asyncio.Lock()
        # By the path's parts; None stands for a name. None as method: any.
        self._routes: list[tuple[tuple[str | None, ...], dict[str | None, Action]]] = [
            (("version",), {"GET": self._version}),
            (("metrics",), {None: self._metrics}),
            (("reset",), {"POST": self._reset}),
            (("populate",), {"POST": self._populate}),
            (("proxies",), {"GET": self._list, "POST": self._create}),
            (
                ("proxies", None),
                {"GET": self._show, "POST": self._change, "PATCH": self._change, "DELETE": self._delete},
            ),
            (("proxies", None, "toxics"), {"GET": self._list_toxics, "POST": self._add_toxic}),
            (
                ("proxies", None, "toxics", None),
                {
                    "GET": self._show_toxic,
                    "POST": self._change_toxic,
                    "PATCH": self._change_toxic,
                    "DELETE": self._delete_toxic,
                },
            ),
        ]

    async def answer(self, request: Request) -> Response:
        """Route, act, and turn every refusal into its status."""
        parts = unquote(request.path.partition("?")[0]).split("/")[1:]
        for pattern, actions in self._routes:
            if len(parts) == len(pattern) and all(
                part if name is None else part == name for part, name in zip(parts, pattern, strict=True)
            ):
                action = actions.get(request.method, actions.get(None))
                if action is None:
                    return Response(405, {}, b"")
                response = await self._act(action, parts, request)
                response.headers["x-toxiproxy-request-id"] = secrets.token_hex(10)
                return response
        return Response(404, dict(_TEXT), b"404 page not found\n")

    async def _act(self, action: Action, parts: list[str], request: Request) -> Response:
        if request.headers.get("user-agent", "").startswith("Mozilla/"):  # No page in a browser may call us.
            return Response(403, dict(_TEXT), b"User agent not allowed\n")
        try:
            async with self._one_at_a_time:
                return await action(parts, request.body)
        except ApiError as error:
            return _error(error)

    async def _version(self, _parts: list[str], _body: bytes) -> Response:
        text = f'{{"version": "{VERSION}"}}\n'
        return Response(200, {"content-type": "application/json;charset=utf-8"}, text.encode())

    async def _metrics(self, _parts: list[str], _body: bytes) -> Response:
        headers = {"content-type": "text/plain; version=0.0.4; charset=utf-8", "transfer-encoding": "chunked"}
        return Response(200, headers, self._proxies.traffic.render().encode())

    async def _reset(self, _parts: list[str], _body: bytes) -> Response:
        await self._proxies.reset()
        return Response(204, {}, b"")

    async def _populate(self, _parts: list[str], body: bytes) -> Response:
        done, error = await self._proxies.populate(body)
        shown = {"proxies": [proxy.described() for proxy in done] or None}
        if error is None:
            return _json(201, shown)
        return _json(error.status, {"error": error.message, "status": error.status, **shown})

    async def _list(self, _parts: list[str], _body: bytes) -> Response:
        return _json(200, {proxy.name: proxy.described() for proxy in self._proxies.all()})

    async def _create(self, _parts: list[str], body: bytes) -> Response:
        return _json(201, (await self._proxies.create(body)).described())

    async def _show(self, parts: list[str], _body: bytes) -> Response:
        return _json(200, self._proxies.get(parts[1]).described())

    async def _change(self, parts: list[str], body: bytes) -> Response:
        return _json(200, (await self._proxies.change(parts[1], body)).described())

    async def _delete(self, parts: list[str], _body: bytes) -> Response:
        await self._proxies.delete(parts[1])
        return Response(204, {}, b"")

    async def _list_toxics(self, parts: list[str], _body: bytes) -> Response:
        return _json(200, [toxic.described() for toxic in self._proxies.get(parts[1]).toxics])

    async def _add_toxic(self, parts: list[str], body: bytes) -> Response:
        return _json(200, self._proxies.get(parts[1]).add_toxic(body).described())

    async def _show_toxic(self, parts: list[str], _body: bytes) -> Response:
        return _json(200, self._proxies.get(parts[1]).toxic(parts[3]).described())

    async def _change_toxic(self, parts: list[str], body: bytes) -> Response:
        return _json(200, self._proxies.get(parts[1]).change_toxic(parts[3], body).described())

    async def _delete_toxic(self, parts: list[str], _body: bytes) -> Response:
        self._proxies.get(parts[1]).remove_toxic(parts[3])
        return Response(204, {}, b"")
