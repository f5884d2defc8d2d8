"""Readiness: what a server that is asked over HTTP still lacks to be ready."""

from sandbox import wire
from sandbox.wire import WireError


async def lacks(port: int, path: str = "/readyz") -> str | None:
    """None when GET path says 200."""
    try:
        status = await wire.http_status(port, path)
    except WireError as error:
        return str(error)
    return None if status == 200 else f"GET {path} answers {status}"


async def gateway_lacks(port: int) -> str | None:
    """None when it is ready: GET /readyz, or else /ready, says 200; if it knows neither, it accepts."""
    for path in ("/readyz", "/ready"):
        try:
            status = await wire.http_status(port, path)
        except WireError as error:
            return str(error)
        if status != 404:
            return None if status == 200 else f"GET {path} answers {status}"
    return None if await wire.accepts_connections(port) else "accepts no connection"
