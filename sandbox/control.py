"""Control: the HTTP API by which the harness kills, stops and starts components, each fault with a lease.

Routes: GET /healthz, GET /components, GET /metrics (Redis's memory, for a Prometheus), and
POST /components/NAME/{kill,start,pause,resume}. NAME is a component's, or the role redis-primary or
redis-replica as the Sentinels see it at that moment. A kill is {"signal", "for_s"}: dead for so long; or
{"signal", "restart_after_s"}: dead like a pod, and started again after that delay. Errors are JSON
{"error": sentence}.
"""

import json
import signal
import time
from typing import Any

from sandbox import redis_metrics
from sandbox.component import Component, Exit, NotObeyed, NotPossible, NotReady
from sandbox.http_server import Request, Response
from sandbox.ports import HOST
from sandbox.redis_servers import RedisServers
from sandbox.supervisor import Supervisor, UnknownComponent

MAX_LEASE_S = 3600.0
_SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM}
_VERBS = ("kill", "start", "pause", "resume")


class BadBody(Exception):
    """The body of a request cannot be used; the message says which field, and the mend."""


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body or b"{}")
    except ValueError as error:
        raise BadBody(f"the body is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadBody("the body is no JSON object")
    return fields


def lease_s(body: bytes) -> float:
    """The field for_s: how long the fault may last. Raises BadBody unless 0 < for_s <= 3600."""
    value = _fields(body).get("for_s")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_LEASE_S:
        raise BadBody(
            f"for_s: {value!r} is no number of seconds above 0 and up to 3600; a fault must end by itself"
        )
    return float(value)


def restart_after_s(body: bytes) -> float | None:
    """The field restart_after_s, None when there is none. Raises BadBody unless 0 <= it <= 3600, alone."""
    fields = _fields(body)
    if "restart_after_s" not in fields:
        return None
    value = fields["restart_after_s"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_LEASE_S:
        raise BadBody(f"restart_after_s: {value!r} is no number of seconds from 0 to 3600")
    if "for_s" in fields:
        raise BadBody("restart_after_s: excludes for_s; send the one or the other")
    return float(value)


def signal_number(body: bytes) -> signal.Signals:
    """The field signal, KILL when there is none. Raises BadBody."""
    name = _fields(body).get("signal", "KILL")
    if not isinstance(name, str) or name not in _SIGNALS:
        raise BadBody(f"signal: {name!r} is not KILL or TERM")
    return _SIGNALS[name]


def _ago_s(at_s: float) -> float:
    return round(time.monotonic() - at_s, 4)


def _describe_exit(death: Exit) -> dict[str, Any]:
    why = "killed by control" if death.by_control else "unexpected"
    return {"pid": death.pid, "code": death.code, "ago_s": _ago_s(death.at_s), "why": why}


def describe(component: Component, role: str) -> dict[str, Any]:
    """One element of GET /components; times are seconds before (ago) or after (left) now."""
    running = component.pid is not None
    lease = component.lease
    return {
        "name": component.spec.name,
        "role": role,
        "pid": component.pid,
        "state": "running" if running else "dead",
        "paused": component.paused,
        "address": f"{HOST}:{component.spec.port}",
        "starts": component.starts,
        "started_ago_s": _ago_s(component.started_at_s) if running else None,
        "restart": "never" if component.spec.restart_delay_s is None else "always",
        "exits": [_describe_exit(death) for death in component.exits],
        "lease_left_s": None if lease is None else max(0.0, round(lease.ends_at_s - time.monotonic(), 4)),
    }


class Control:
    """Answers the requests; `answer` is the handler for the HTTP server."""

    def __init__(self, supervisor: Supervisor, redis: RedisServers) -> None:
        self._supervisor = supervisor
        self._redis = redis

    async def answer(self, request: Request) -> Response:
        """Route, act, and turn every refusal into its status."""
        parts = request.path.strip("/").split("/")
        try:
            if parts == ["healthz"] and request.method == "GET":
                return Response(200, {"status": "ok"})
            if parts == ["components"] and request.method == "GET":
                return await self._list()
            if parts == ["metrics"] and request.method == "GET":
                return Response(200, await redis_metrics.text(self._redis))
            if (
                len(parts) == 3
                and parts[0] == "components"
                and parts[2] in _VERBS
                and request.method == "POST"
            ):
                component = await self._supervisor.find(parts[1])
                return Response(200, await self._act(component, parts[2], request.body))
        except BadBody as error:
            return Response(400, {"error": str(error)})
        except UnknownComponent as error:
            return Response(404, {"error": str(error)})
        except NotPossible as error:
            return Response(409, {"error": str(error)})
        except NotReady as error:
            return Response(503, {"error": str(error)})
        except NotObeyed as error:
            return Response(504, {"error": str(error)})
        routes = f"GET /healthz, GET /components, GET /metrics, POST /components/NAME/({'|'.join(_VERBS)})"
        return Response(404, {"error": f"no {request.method} {request.path}; there are: {routes}"})

    async def _list(self) -> Response:
        roles = await self._supervisor.roles()
        return Response(
            200, {"components": [describe(c, roles[name]) for name, c in self._supervisor.components.items()]}
        )

    async def _act(self, component: Component, verb: str, body: bytes) -> dict[str, Any]:
        name = component.spec.name
        if verb == "kill":
            number, delay_s = signal_number(body), restart_after_s(body)
            lasting = {"lease_s": lease_s(body)} if delay_s is None else {"restart_after_s": delay_s}
            death = await component.kill(number, lasting.get("lease_s"), delay_s)
            said = {"name": name, "pid": death.pid, "signal": number.name.removeprefix("SIG")}
            return said | {"died_ago_s": _ago_s(death.at_s)} | lasting
        if verb == "pause":
            lease = lease_s(body)
            await component.pause(lease)
            return {"name": name, "pid": component.pid, "signal": "STOP", "lease_s": lease}
        if verb == "resume":
            was_paused = component.resume()
            return {"name": name, "pid": component.pid, "already_running": not was_paused}
        started = await component.start()
        await component.wait_ready()
        return {
            "name": name,
            "pid": component.pid,
            "started_ago_s": _ago_s(component.started_at_s),
            "already_running": not started,
        }
