"""The HTTP answers to a webhook: one alert, several alerts, or a refusal as application/problem+json."""

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from sandbox.gateway.result import Result

RETRY_AFTER_S = 5


def problem(status: int, detail: str) -> Response:
    """A problem document (RFC 9457); a 503 says when to come again."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def to_results(results: list[Result], namespace: str, refusal_status: int, left_out: int = 0) -> Response:
    """The answer to a webhook whose alerts had these results.

    An Alertmanager takes any 2xx as "all done" and tries again after 5xx, so there is no 2xx when no alert
    was accepted. `refusal_status` is 503, and `left_out`, how many of several results are not told, is 0, but
    for planted defects.
    """
    if any(result.accepted for result in results):
        if len(results) == 1:
            return _to_one(results[0], namespace)
        return _to_several(results[: len(results) - left_out])
    detail = "; ".join(dict.fromkeys(result.message for result in results))
    if all(result.status == "rejected" for result in results):
        return problem(HTTPStatus.BAD_REQUEST, detail)
    return problem(refusal_status, detail)


def _to_one(result: Result, namespace: str) -> Response:
    body: dict[str, Any] = {
        "status": result.status,
        "fingerprint": result.fingerprint,
        "duplicate": result.duplicate,
        "message": result.message,
    }
    if result.status == "resolved":
        return JSONResponse(body, HTTPStatus.OK)
    if result.window_id:
        body |= {"isStorm": True, "windowID": result.window_id}
    if not result.name:
        return JSONResponse(body, HTTPStatus.ACCEPTED)
    body |= {"remediationRequestName": result.name, "remediationRequestNamespace": namespace}
    if result.status == "created":
        return JSONResponse(body, HTTPStatus.CREATED)
    if result.count:
        body["metadata"] = {"count": result.count}
    return JSONResponse(body, HTTPStatus.ACCEPTED)


def _to_several(results: list[Result]) -> Response:
    def number_of(status: str) -> int:
        return sum(result.status == status for result in results)

    items = []
    for index, result in enumerate(results):
        item: dict[str, Any] = {"index": index, "status": result.status, "fingerprint": result.fingerprint}
        if result.window_id:
            item["windowID"] = result.window_id
        items.append(item | {"message" if result.accepted else "error": result.message})
    summary = {
        "total": len(results),
        "created": number_of("created"),
        "deduplicated": number_of("duplicate"),
        "rejected": number_of("rejected"),
        "failed": number_of("failed"),
    }
    summary |= {word: number_of(word) for word in ("buffered", "aggregated", "queued") if number_of(word)}
    return JSONResponse({"results": items, "summary": summary}, HTTPStatus.MULTI_STATUS)
