"""The admin API of the faults, on a port of its own: who disturbs the faulty port must not be disturbed.

POST /faults, GET /faults (`?intervals=1` adds the seconds between hits), DELETE /faults/NAME and
DELETE /faults. Errors are JSON {"error": sentence}.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from sandbox.kubernetes_api.app import Receive, Scope, Send
from sandbox.kubernetes_api.faults import BadFault, DuplicateFault, FaultBook, read_fault

_LIMIT_BYTES = 65_536
_ROUTES = "POST /faults, GET /faults[?intervals=1], DELETE /faults/NAME, DELETE /faults"


class FaultsAdmin:
    """An ASGI application over the book of faults."""

    def __init__(self, book: FaultBook) -> None:
        self._book = book

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = await _read(receive)
        code, body = self._act(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), content
        )
        text = json.dumps(body).encode()
        length = str(len(text)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    def _act(self, method: str, path: str, query: str, content: bytes) -> tuple[int, dict[str, object]]:
        name = path.removeprefix("/faults/") if path.startswith("/faults/") else ""
        match method, path, name:
            case "GET", "/faults", _:
                intervals = parse_qs(query).get("intervals", ["0"])[0] not in ("0", "false")
                return 200, {"faults": self._book.describe(intervals=intervals)}
            case "POST", "/faults", _:
                return self._add(content)
            case "DELETE", "/faults", _:
                return 200, {"removed": self._book.remove_all()}
            case "DELETE", _, named if named:
                return 200, self._book.remove(named)
        return 404, {"error": f"no {method} {path}; there are: {_ROUTES}"}

    def _add(self, content: bytes) -> tuple[int, dict[str, object]]:
        try:
            if len(content) > _LIMIT_BYTES:
                raise BadFault(f"the body is longer than {_LIMIT_BYTES} bytes")
            fault = read_fault(json.loads(content))
            self._book.add(fault)
        except BadFault as problem:
            return 400, {"error": str(problem)}
        except (ValueError, RecursionError) as problem:
            return 400, {"error": f"the body is no JSON: {problem}"}
        except DuplicateFault as problem:
            return 409, {"error": str(problem)}
        return 201, {"name": fault.name, "for_s": fault.for_s}


async def _read(receive: Receive) -> bytes:
    content, more = b"", True
    while more:
        message = await receive()
        if len(content) <= _LIMIT_BYTES:
            content += message.get("body", b"")
        more = message.get("more_body", False)
    return content
