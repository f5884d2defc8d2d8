"""A small client of the Kubernetes API for RemediationRequests; its retries end."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp

from sandbox.gateway.breaker import CircuitBreaker, Policy, State
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.kubeconfig import Cluster
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.remediation_request import API_VERSION

TRIES = 5
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 0.8
ONE_TRY_S = 1.0
_CONNECTIONS = 64
# Ten tries in a row that failed open the breaker; one that is answered closes it. No ratio opens it.
BREAKER_POLICY = Policy(consecutive_failures=10, minimum_calls=2**31, open_s=1.0, trial_successes=1)
# Failures that time may mend: what met one can be written later.
PASSING_REASONS = ("429", "connection", "timeout", "conflict", "breaker_open")


class KubernetesError(Exception):
    """The API did not do what it was asked.

    `reason` is a status, or connection, timeout, conflict or breaker_open; `retry_after_s` is what the API
    asked for, 0 if nothing.
    """

    def __init__(self, reason: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def passing(self) -> bool:
        """Whether a later try may succeed."""
        return self.reason in PASSING_REASONS or self.reason.startswith("5")


class AlreadyExistsError(Exception):
    """An object of that name exists."""


class ConflictError(Exception):
    """The object has changed since it was read."""


class _TryError(Exception):
    """One try failed in a way that another may mend."""

    def __init__(self, reason: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class KubernetesClient:
    """Talks to one namespace of one cluster. A method whose deadline or tries end raises KubernetesError.

    Its breaker, once open, is tried by the patient alone while there are any waiting.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, metrics: Metrics, breaker: CircuitBreaker | None = None
    ) -> None:
        self.breaker = breaker or CircuitBreaker(BREAKER_POLICY)
        self.patient_are_waiting: Callable[[], bool] = lambda: False
        self._cluster = cluster
        self._path = f"/apis/{API_VERSION}/namespaces/{namespace}/remediationrequests"
        self._metrics = metrics
        self.namespace = namespace
        headers = {"Authorization": f"Bearer {cluster.token}"} if cluster.token else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=cluster.tls if cluster.tls else True),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def create(self, body: dict[str, Any], deadline: Deadline) -> None:
        """Create an object. Raises AlreadyExistsError, also when an earlier, unanswered try did create it."""
        status, answer = await self._request("POST", self._path, deadline, "create", body)
        if status == 409:
            raise AlreadyExistsError(_text(answer))
        self._expect(status, answer)

    async def get(self, name: str, deadline: Deadline, *, reason: str = "count") -> dict[str, Any] | None:
        """The object of that name, or None; `reason` is one of metrics.QUERY_REASONS."""
        status, answer = await self._request("GET", f"{self._path}/{name}", deadline, reason)
        if status == 404:
            return None
        self._expect(status, answer)
        return answer

    async def list(self, selector: str, deadline: Deadline) -> list[dict[str, Any]]:
        """The objects whose labels fit a selector such as `a=b`."""
        path = f"{self._path}?{urlencode({'labelSelector': selector})}"
        status, answer = await self._request("GET", path, deadline, "recovery")
        self._expect(status, answer)
        items: list[dict[str, Any]] = answer.get("items") or []
        return items

    async def replace(self, body: dict[str, Any], deadline: Deadline) -> None:
        """Write an object back. Raises ConflictError when its resourceVersion is no longer the newest."""
        name = body["metadata"]["name"]
        status, answer = await self._request("PUT", f"{self._path}/{name}", deadline, "update", body)
        # An object that was deleted meanwhile is a conflict too: the caller reads it again and finds it gone.
        if status in (404, 409):
            raise ConflictError(_text(answer))
        self._expect(status, answer)

    async def delete(self, name: str, deadline: Deadline) -> None:
        """Delete a CRD; that it is not there is no error."""
        await self._request("DELETE", f"{self._path}/{name}", deadline, "update")

    async def check(self, timeout_s: float) -> None:
        """Ask for the version, once. Raises KubernetesError when the API is away or answers 5xx."""
        try:
            await self._try("GET", "/version", timeout_s, None)
        except _TryError as error:
            raise KubernetesError(error.reason, str(error)) from error

    async def _request(
        self, method: str, path: str, deadline: Deadline, reason: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        backoff_s = FIRST_BACKOFF_S
        for tries_left in reversed(range(1 if deadline.patient else TRIES)):
            self._metrics.k8s_api_queries_total.labels(reason).inc()
            try:
                return await self._try_through_breaker(method, path, deadline, body)
            except _TryError as error:
                self._metrics.k8s_api_errors_total.labels(error.reason).inc()
                # Full jitter. A Retry-After is obeyed; one that reaches beyond the deadline ends the tries.
                pause_s = error.retry_after_s + random.uniform(0, backoff_s)
                if not tries_left or pause_s >= deadline.remaining_s():
                    raise KubernetesError(error.reason, str(error), error.retry_after_s) from error
            await asyncio.sleep(pause_s)
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
        raise AssertionError("the last try returns or raises")

    async def _try_through_breaker(
        self, method: str, path: str, deadline: Deadline, body: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        timeout_s = min(ONE_TRY_S, deadline.remaining_s())
        if timeout_s <= 0:
            raise _TryError("timeout", f"no time was left for {method} {path}")
        kept_back = not deadline.patient and self.patient_are_waiting()
        if self.breaker.state is not State.CLOSED and kept_back:
            raise KubernetesError("breaker_open", "the breaker of the Kubernetes API is not closed")
        permit = self.breaker.acquire(time.monotonic())
        if permit is None:
            raise KubernetesError("breaker_open", "the breaker of the Kubernetes API is open")
        try:
            answer = await self._try(method, path, timeout_s, body)
        except _TryError:
            self.breaker.fail(permit, time.monotonic())
            raise
        except BaseException:
            self.breaker.cancel(permit)
            raise
        self.breaker.succeed(permit, time.monotonic())
        return answer

    async def _try(
        self, method: str, path: str, timeout_s: float, body: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        try:
            async with self._session.request(
                method,
                self._cluster.server + path,
                json=body,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
            ) as response:
                status = response.status
                answer = _json(await response.read())
                retry_after = response.headers.get("Retry-After", "")
        except TimeoutError as error:
            raise _TryError("timeout", f"{method} {path}: no answer in {timeout_s:.2f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _TryError("connection", f"{method} {path}: {error}") from error
        if status == 429 or status >= 500:
            retry_after_s = float(retry_after) if retry_after.isdecimal() else 0.0
            raise _TryError(str(status), f"{method} {path}: {status}: {_text(answer)}", retry_after_s)
        if answer is None:
            raise _TryError("connection", f"{method} {path}: {status} with a body that is no JSON object")
        return status, answer

    def _expect(self, status: int, answer: dict[str, Any]) -> None:
        if not 200 <= status < 300:
            self._metrics.k8s_api_errors_total.labels(str(status)).inc()
            raise KubernetesError(str(status), f"the Kubernetes API answered {status}: {_text(answer)}")


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _text(answer: dict[str, Any] | None) -> str:
    return str(answer.get("message", "")) if answer else ""
