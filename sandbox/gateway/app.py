"""The HTTP interface of the Gateway: the webhook, health, readiness and metrics."""

import asyncio
import time
from dataclasses import replace
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.gateway import answer, log, noise, webhook
from sandbox.gateway import defects as planted
from sandbox.gateway.breaker import CircuitBreaker, State
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.defects import Defects
from sandbox.gateway.health import Health
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.pipeline import Pipeline
from sandbox.gateway.result import Result
from sandbox.gateway.silence import Silence

WEBHOOK_PATH = "/api/v1/signals/prometheus"
LARGEST_BODY_BYTES = 256 * 1024
# One budget for all alerts of a request: no answer takes 3 s, and Redis may have used 0.75 s of them.
REQUEST_BUDGET_S = 2.2
_ALERTS_AT_A_TIME = 16


class GatewayApp:
    """The routes, with what they need."""

    def __init__(
        self,
        pipeline: Pipeline,
        health: Health,
        breaker: CircuitBreaker,
        metrics: Metrics,
        defects: Defects,
        namespace: str,
    ) -> None:
        self._pipeline = pipeline
        self._health = health
        self._breaker = breaker
        self._metrics = metrics
        self._defects = defects
        self._namespace = namespace
        self._silence = Silence(defects)
        pipeline.unanswered = self._silence.unanswered
        routes = [
            Route(WEBHOOK_PATH, self.receive_webhook, methods=["POST"]),
            Route("/healthz", self.show_health),
            Route("/readyz", self.show_readiness),
            Route("/metrics", self.show_metrics),
        ]
        self.asgi: ASGIApp = _Timed(Starlette(routes=routes), metrics, {route.path for route in routes})

    async def receive_webhook(self, request: Request) -> Response:
        """POST of an Alertmanager webhook."""
        media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return self._refuse_request(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content_type", "the Content-Type must be application/json"
            )
        body = await _read(request)
        if body is None:
            return self._refuse_request(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"the limit is {LARGEST_BODY_BYTES} bytes"
            )
        try:
            alerts = webhook.parse_body(body)
        except webhook.WebhookError as error:
            return self._refuse_request(HTTPStatus.BAD_REQUEST, error.reason, str(error))
        bad = next((alert for alert in alerts if isinstance(alert, webhook.WebhookError)), None)
        if bad is not None and len(alerts) > 1 and self._defects.bite(planted.BATCH_400):
            return self._refuse_request(HTTPStatus.BAD_REQUEST, bad.reason, str(bad))
        if self._silence.swallows(alerts):
            return await self._silence.keep(request)
        results = await self._process(alerts)
        if self._silence.withholds(alerts):
            return await self._silence.keep(request)
        if self._defects.bite(noise.ANSWER_SLOW):
            await asyncio.sleep(self._defects.planted[noise.ANSWER_SLOW])
        return self._answer(results)

    async def _process(self, alerts: list[webhook.Alert | webhook.WebhookError]) -> list[Result]:
        deadline = Deadline.after(REQUEST_BUDGET_S)
        places = asyncio.Semaphore(_ALERTS_AT_A_TIME)

        async def process(alert: webhook.Alert | webhook.WebhookError) -> Result:
            async with places:
                return await self._pipeline.process(alert, deadline)

        fails_one = len(alerts) > 1 and self._defects.bite_every(planted.FAILS_ONE, planted.FAILS_ONE_EVERY)
        taken = alerts[:-1] if fails_one else alerts
        results = list(await asyncio.gather(*map(process, taken)))
        if fails_one:
            results.append(Result("failed", "a planted defect", getattr(alerts[-1], "fingerprint", "")))
        return results

    def _answer(self, results: list[Result]) -> Response:
        left_out = 0
        if len(results) > 1:
            failed = any(result.status == "failed" for result in results)
            if failed and self._defects.bite(planted.HIDES_FAILURES):
                results = [
                    replace(result, status="created") if result.status == "failed" else result
                    for result in results
                ]
            left_out = int(self._defects.bite(planted.LISTS_FEWER))
        return answer.to_results(results, self._namespace, self._refusal_status(results), left_out)

    async def show_health(self, request: Request) -> Response:
        """GET /healthz: the process lives."""
        return JSONResponse({"status": "ok"})

    async def show_readiness(self, request: Request) -> Response:
        """GET /readyz: whether alerts should be sent here."""
        reason = self._health.unready_reason()
        if reason is None or self._defects.bite(planted.READY_WHILE_REFUSING):
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "unready", "reason": reason}, HTTPStatus.SERVICE_UNAVAILABLE)

    async def show_metrics(self, request: Request) -> Response:
        """GET /metrics in the Prometheus text format."""
        sick = self._breaker.state is not State.CLOSED
        if sick and self._defects.bite(planted.METRICS_HANG):
            await self._breaker_closes()
        fails = sick and self._defects.bite(planted.METRICS_FAIL)
        if fails or self._defects.bite_every(noise.METRICS_MISS):
            return Response("out of order", HTTPStatus.INTERNAL_SERVER_ERROR)
        if self._defects.bite(noise.METRICS_SLOW):
            await asyncio.sleep(self._defects.planted[noise.METRICS_SLOW])
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _breaker_closes(self) -> None:
        while self._breaker.state is not State.CLOSED:
            await asyncio.sleep(0.1)

    def _refuse_request(self, status: int, reason: str, detail: str) -> Response:
        self._metrics.alerts_rejected_total.labels(reason).inc()
        log.warning("request refused", status=int(status), reason=reason, error=detail)
        return answer.problem(status, detail)

    def _refusal_status(self, results: list[Result]) -> int:
        accepted = any(result.accepted for result in results)
        if not accepted and any(result.status == "failed" for result in results):
            if self._defects.bite(planted.REJECT_WITH_429):
                return HTTPStatus.TOO_MANY_REQUESTS
            if self._defects.bite(planted.REJECT_WITH_500):
                return HTTPStatus.INTERNAL_SERVER_ERROR
        return HTTPStatus.SERVICE_UNAVAILABLE


async def _read(request: Request) -> bytes | None:
    """The whole body, or None as soon as it is seen to be too large."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > LARGEST_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            return None
    return bytes(body)


class _Timed:
    """Measures every request, from its head to the end of its answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, endpoints: set[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s = time.perf_counter()
        endpoint = scope["path"] if scope["path"] in self._endpoints else "other"
        status = "none"

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            duration = self._metrics.http_request_duration_seconds.labels(endpoint, scope["method"], status)
            duration.observe(time.perf_counter() - begun_s)
