"""The HTTP answers to a webhook: one alert, several alerts, or a refusal as application/problem+json."""

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from sandbox.gateway.pipeline import Result

RETRY_AFTER_S = 5


def problem(status: int, detail: str) -> Response:
    """A problem document (RFC 9457); a 503 says when to come again."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def to_results(results: list[Result], namespace: str, refusal_status: int) -> Response:
    """The answer to a webhook whose alerts had these results.

    An Alertmanager takes any 2xx as "all done" and tries again after 5xx, so there is no 2xx when no alert
    was accepted. `refusal_status` is 503 but for planted defects.
    """
    if any(result.accepted for result in results):
        return _to_one(results[0], namespace) if len(results) == 1 else _to_several(results)
    detail = "; ".join(dict.fromkeys(result.message for result in results))
    if all(result.status == "rejected" for result in results):
        return problem(HTTPStatus.BAD_REQUEST, detail)
    return problem(refusal_status, detail)


def _to_one(result: Result, namespace: str) -> Response:
    body: dict[str, Any] = {
        "status": result.status,
        "fingerprint": result.fingerprint,
        "duplicate": result.status == "duplicate",
        "message": result.message,
    }
    if result.status == "resolved":
        return JSONResponse(body, HTTPStatus.OK)
    body |= {"remediationRequestName": result.name, "remediationRequestNamespace": namespace}
    if result.status == "created":
        return JSONResponse(body, HTTPStatus.CREATED)
    return JSONResponse(body | {"metadata": {"count": result.count}}, HTTPStatus.ACCEPTED)


def _to_several(results: list[Result]) -> Response:
    def number_of(status: str) -> int:
        return sum(result.status == status for result in results)

    items = []
    for index, result in enumerate(results):
        item = {"index": index, "status": result.status, "fingerprint": result.fingerprint}
        items.append(item | {"message" if result.accepted else "error": result.message})
    summary = {
        "total": len(results),
        "created": number_of("created"),
        "deduplicated": number_of("duplicate"),
        "rejected": number_of("rejected"),
        "failed": number_of("failed"),
    }
    return JSONResponse({"results": items, "summary": summary}, HTTPStatus.MULTI_STATUS)
