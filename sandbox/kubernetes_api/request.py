"""What a request asks: its verb, resource and names from the path, and its options from the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sandbox.kubernetes_api.listing import ListRequest, read_token
from sandbox.kubernetes_api.resources import Resource
from sandbox.kubernetes_api.selectors import Selector, parse_fields, parse_labels
from sandbox.kubernetes_api.status import ApiError, bad_request
from sandbox.kubernetes_api.store import Key

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_FIELD_VALIDATIONS = ("", "Ignore", "Warn", "Strict")


@dataclass(frozen=True, slots=True)
class Query:
    """The query parameters; of a repeated one the first value counts."""

    values: dict[str, list[str]]

    def text(self, name: str) -> str:
        """The parameter, or the empty text."""
        return self.values.get(name, [""])[0]

    def flag(self, name: str) -> bool:
        """Whether the parameter is there and says neither `false` nor `0`."""
        return name in self.values and self.text(name).lower() not in ("false", "0")

    def number(self, name: str) -> int:
        """The parameter as a whole number of at least 0, 0 when absent. Raises ApiError 400 otherwise."""
        text = self.text(name) or "0"
        if not (text.isascii() and text.isdecimal()):
            raise bad_request(f"query parameter {name}={text!r} must be a whole number of at least 0")
        return int(text)

    def dry_run(self) -> bool:
        """Whether nothing may be kept. Raises ApiError 422 for a value other than All."""
        return asks_dry_run(self.values.get("dryRun", []))

    def require_known_field_validation(self) -> None:
        """Raise ApiError 422 for a `fieldValidation` other than Ignore, Warn and Strict.

        Strict refuses unknown members of the metadata; there is no schema to validate the rest against.
        """
        asked = self.text("fieldValidation")
        if asked not in _FIELD_VALIDATIONS:
            supported = '"Ignore", "Strict", "Warn"'
            text = f'fieldValidation: Unsupported value: "{asked}": supported values: {supported}'
            raise ApiError(422, "Invalid", text)

    def selector(self, resource: Resource) -> Selector:
        """The label and field conditions. Raises ApiError 400 when one cannot be read."""
        fields = parse_fields(self.text("fieldSelector"), resource.selectable_fields)
        return Selector(parse_labels(self.text("labelSelector")), fields)

    def list_request(self, resource: Resource, namespace: str | None) -> ListRequest:
        """What a list with this query asks for. Raises ApiError 400 for values that cannot be read."""
        version: int | None = None
        after: Key | None = None
        if self.text("continue"):
            version, after = read_token(self.text("continue"))
        elif self.text("resourceVersionMatch") == "Exact":
            version = self.number("resourceVersion")
        limit = self.number("limit")
        return ListRequest(namespace, self.selector(resource), limit, version, after)


def asks_dry_run(values: Any) -> bool:
    """Whether the dryRun values ask to keep nothing. Raises ApiError 422 for a value other than All."""
    if not isinstance(values, list) or any(value != "All" for value in values):
        text = f'dryRun: Unsupported value: {values!r}: supported values: "All"'
        raise ApiError(422, "Invalid", text)
    return bool(values)


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """One request, read from its line alone. `resource` is empty for paths that are not about objects.

    `verb` is get, list, watch, create, update, patch, delete or deletecollection; for a method that the API
    does not know it is the method in lower case.
    """

    verb: str
    method: str
    path: str
    query: Query
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def read_request(method: str, path: str, query_string: bytes) -> RequestInfo:
    """The request that an HTTP method, a decoded path and a raw query string make.

    The grammar is that of k8s.io/apiserver `pkg/endpoints/request`, without its old `/watch/` prefix.
    """
    query = Query(parse_qs(query_string.decode("latin-1"), keep_blank_values=True) if query_string else {})
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(method.lower(), method, path, query)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return RequestInfo(
        verb=_verb(method, bool(name), query),
        method=method,
        path=path,
        query=query,
        group=group,
        version=version,
        resource=rest[0],
        namespace=namespace,
        name=name,
        subresource="/".join(rest[2:]),
    )


def _verb(method: str, named: bool, query: Query) -> str:
    if method == "GET":
        return "get" if named else "watch" if query.flag("watch") else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return _VERBS.get(method, method.lower())
