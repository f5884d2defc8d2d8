"""Connections: a request knows the connection that it came on, so that this can be reset under it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "alertstorm.transport"


class Protocol(HttpToolsProtocol):
    """uvicorn's own, which leaves the transport in the scope as `scope["alertstorm.transport"]`."""

    def on_message_begin(self) -> None:
        """Begin a request, as httptools says it."""
        super().on_message_begin()
        scope: MutableMapping[str, Any] = cast(MutableMapping[str, Any], self.scope)
        scope[TRANSPORT] = self.transport
