"""The Status bodies: every refusal of the API, with the code, reason, message and details clients act upon.

The texts follow k8s.io/apimachinery `pkg/api/errors`, because clients and people match on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes_api.resources import Object, Resource


class ApiError(Exception):
    """A refusal that becomes a Status body; raised anywhere below the ASGI app and rendered in one place."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Object:
        """The `Status` object of kind v1 that a client decodes."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        if self.details is None:
            del body["details"]
        return body


@dataclass(frozen=True, slots=True)
class Cause:
    """One wrong field: `reason` is a FieldValue reason, `message` starts like `Invalid value: ...`."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


def _about(resource: Resource, name: str) -> Object:
    about = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in about.items() if value}


def success(resource: Resource, name: str, uid: str) -> Object:
    """The body of a completed delete."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_about(resource, name), "uid": uid},
    }


def not_found(resource: Resource, name: str) -> ApiError:
    """404 for an object that does not exist."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _about(resource, name))


def no_such_path() -> ApiError:
    """404 for a path or a resource that is not served."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 for a create of a name that is taken."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _about(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> ApiError:
    """409 for a write that rests on an older version or on a precondition that does not hold."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(resource, name))


def other_uid(resource: Resource, name: str, asked: str, found: str) -> ApiError:
    """409 for a delete that means another object of the same name; it names the kind, too."""
    why = (
        f"the UID in the precondition ({asked}) does not match the UID in record ({found}). The object might "
        "have been deleted and then recreated"
    )
    message = f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": {why}'
    return ApiError(409, "Conflict", message, {**_about(resource, name), "kind": resource.kind})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with one cause a field, as the real validation reports it."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    found = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    details: dict[str, Any] = {"name": name, "group": resource.group, "kind": resource.kind, "causes": found}
    if not name:
        del details["name"]
    return ApiError(422, "Invalid", f'{resource.qualified_kind} "{name}" is invalid: {listed}', details)


def without_version(resource: Resource, name: str) -> ApiError:
    """422 for a replace that has to say which version it replaces; it names the plural, unlike other ones."""
    text = "Invalid value: 0: must be specified for an update"
    cause = {"reason": "FieldValueInvalid", "message": text, "field": "metadata.resourceVersion"}
    message = f'{resource.qualified} "{name}" is invalid: metadata.resourceVersion: {text}'
    return ApiError(422, "Invalid", message, {**_about(resource, name), "causes": [cause]})


def another_kind(resource: Resource, name: str, kind: str) -> ApiError:
    """422 for a custom object of another kind than the path's; named by the kind that it says."""
    text = f'Invalid value: "{kind}": must be {resource.kind}'
    cause = {"reason": "FieldValueInvalid", "message": text, "field": "kind"}
    details = {"name": name, "group": resource.group, "kind": kind, "causes": [cause]}
    qualified = f"{kind}.{resource.group}" if resource.group else kind
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: kind: {text}', details)


def rejected_patch() -> ApiError:
    """422 for a well-formed JSON patch that cannot be applied to this object, for example a failed test; the
    real server says no more than this."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403, here only for new content in a namespace that is going away."""
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _about(resource, name))


def bad_request(message: str) -> ApiError:
    """400 for a request that cannot be understood."""
    return ApiError(400, "BadRequest", message)


def expired(asked: int, oldest: int) -> ApiError:
    """410 for a version whose successors are no longer all known; the client must list again."""
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def too_large_version(asked: int, current: int) -> ApiError:
    """504 for a version from the future, which the real watch cache waits for in vain."""
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(504, "Timeout", message, details)


def method_not_allowed() -> ApiError:
    """405 for a verb that the path does not have."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415 for a body in a format that is not spoken here."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", message + ", ".join(accepted))


def not_acceptable() -> ApiError:
    """406 for a client that takes no JSON."""
    message = "only the following media types are accepted: application/json"
    return ApiError(406, "NotAcceptable", message)


def too_large(limit_bytes: int) -> ApiError:
    """413 for a body over the limit."""
    message = f"Request entity too large: limit is {limit_bytes}"
    return ApiError(413, "RequestEntityTooLarge", message)
