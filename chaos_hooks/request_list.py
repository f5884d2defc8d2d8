"""The RemediationRequests listed page by page: plain JSON, each page of the list's one version."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import kubernetes.client
import urllib3.exceptions

from shapes.target import Endpoints, ResourceRules

# Measured at 100,000: larger pages are no faster, and each is parsed while nothing else is done.
PAGE = 500
_TIMEOUT_S = 10.0
_GONE = 410
_MOST_BEGINS = 3

Take = Callable[[Mapping[str, Any]], None]


class ListError(Exception):
    """The list could not be read; the message says what the API answered."""


class RequestList:
    """Lists through the official client, but leaves its models alone: of a page only its JSON is wanted."""

    def __init__(
        self, api: kubernetes.client.CustomObjectsApi, rules: ResourceRules, endpoints: Endpoints
    ) -> None:
        self._api = api
        self._rules = rules
        self._namespace = endpoints.namespace

    def read(self, begin: Callable[[], Take]) -> str:
        """Hand each object to what ``begin`` returns; return the version from which on their changes follow.

        A list that grows too old between two of its pages (410) is begun anew, and ``begin`` called again:
        what was handed over before is void, as it is of another version.

        Raises:
            ListError: if the API does not answer as it should, or the list grew too old again and again.
        """
        for _ in range(_MOST_BEGINS):
            version = self._read(begin())
            if version is not None:
                return version
        raise ListError(
            f"listing {self._rules.plural}: grew too old between two pages {_MOST_BEGINS} times (410)"
        )

    def _read(self, take: Take) -> str | None:
        """Return the version; None if it grew too old."""
        more, version = "", ""
        while True:
            try:
                page = self._page(more)
            except kubernetes.client.ApiException as problem:
                if problem.status == _GONE and more:
                    return None
                told = f"{problem.status} {problem.reason}"
                raise ListError(f"listing {self._rules.plural}: {told}") from None
            except (urllib3.exceptions.HTTPError, OSError) as problem:
                raise ListError(f"listing {self._rules.plural}: {type(problem).__name__}") from None
            # Every page of a list is of the version of the first.
            version = version or str(page["metadata"]["resourceVersion"])
            for item in page["items"]:
                take(item)
            more = page["metadata"].get("continue", "")
            if not more:
                return version

    def _page(self, more: str) -> Any:
        answer: Any = self._api.list_namespaced_custom_object(
            self._rules.group,
            self._rules.version,
            self._namespace,
            self._rules.plural,
            limit=PAGE,
            _continue=more,
            _request_timeout=_TIMEOUT_S,
            _preload_content=False,
        )
        return json.loads(answer.data)
