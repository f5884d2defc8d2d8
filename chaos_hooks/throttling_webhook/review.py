"""An AdmissionReview in, the AdmissionReview that answers it out."""

from __future__ import annotations

from typing import Any

from chaos_hooks.throttling_webhook.book import Book
from chaos_hooks.throttling_webhook.orders import Order

_VERSION = "admission.k8s.io/v1"
# Reasons of k8s.io/apimachinery, because clients match on them.
_REASONS = {
    400: "BadRequest",
    403: "Forbidden",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class BadReview(Exception):
    """A body that is no AdmissionReview; the API server then does as its failurePolicy says."""


def answer(body: object, book: Book) -> dict[str, Any]:
    """Return the answer to a review: allowed, unless a fault of the book refuses it.

    Raises:
        BadReview: if the body asks nothing that can be answered.
    """
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (
        _VERSION,
        "AdmissionReview",
    ):
        raise BadReview(f"wanted an AdmissionReview of {_VERSION}")
    try:
        request = body["request"]
        uid, operation = str(request["uid"]), str(request["operation"])
        resource = str(request["resource"]["resource"])
        rehearsed = bool(request.get("dryRun"))
    except (LookupError, TypeError, AttributeError) as problem:
        raise BadReview(f"no AdmissionReview: {type(problem).__name__}: {problem}") from None
    # The configuration promises no side effects, and being counted is one: a dry run passes.
    order = None if rehearsed else book.strike(operation, resource)
    verdict = {"uid": uid, "allowed": True} if order is None else _refusal(uid, order)
    return {"apiVersion": _VERSION, "kind": "AdmissionReview", "response": verdict}


def _refusal(uid: str, order: Order) -> dict[str, Any]:
    status: dict[str, Any] = {
        "status": "Failure",
        "code": order.status,
        "reason": _REASONS.get(order.status, ""),
        "message": f"fault {order.name}: asked for by a chaos run",
    }
    if order.retry_after_s is not None:
        # Only with these details does the API server send the header Retry-After.
        status["details"] = {"retryAfterSeconds": order.retry_after_s}
    return {"uid": uid, "allowed": False, "status": status}
