"""Metrics: how many requests were answered, by verb, resource and status code, in Prometheus text."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest

# The real API server reports writes under their HTTP methods.
_REPORTED = {"create": "POST", "update": "PUT", "patch": "PATCH"}


class RequestCounts:
    """Counts under the name and labels of the real API server, so that one query reads both."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "apiserver_request",
            "Requests answered, by verb, group, version, resource, subresource and HTTP status code.",
            ("verb", "group", "version", "resource", "subresource", "code"),
            registry=self._registry,
        )

    def add(self, verb: str, group: str, version: str, resource: str, subresource: str, code: int) -> None:
        """Count one answered request; `verb` is the API's own, `resource` empty for other paths."""
        reported = _REPORTED.get(verb, verb.upper())
        self._requests.labels(reported, group, version, resource, subresource, str(code)).inc()

    def text(self) -> bytes:
        """The exposition that a scrape gets."""
        return generate_latest(self._registry)
