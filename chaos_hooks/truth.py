"""The truth: the RemediationRequests of a run as the Kubernetes API has them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import gevent
import kubernetes.client
import kubernetes.watch
import urllib3.exceptions

from chaos_hooks import request_list
from chaos_hooks.comparison import Sent
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.kubernetes_api import client_of
from chaos_hooks.request_list import ListError, RequestList
from reports.history import Member, Resource
from shapes.alerts import ID_ANNOTATION, Naming
from shapes.paths import at_path
from shapes.scenario import Scenario
from shapes.target import Endpoints, ResourceRules

_TIMEOUT_S = 10.0
_WATCH_S = 60
_BETWEEN_READINGS_S = 0.5


class TruthError(Exception):
    """The resources could not be read; the message says what the API answered."""


class Truth:
    """Reads them through the official client, so that the oracle shares no code with the Gateway."""

    def __init__(self, endpoints: Endpoints, rules: ResourceRules, scenario: Scenario | None = None) -> None:
        """With a scenario, what is read is compared with what its load sends."""
        if not endpoints.kubeconfig or not endpoints.namespace:
            raise SetupError(
                "endpoints.kubeconfig and endpoints.namespace are needed to read what was created"
            )
        try:
            client = client_of(endpoints.kubeconfig, endpoints.context)
        except InjectionError as problem:
            raise SetupError(f"endpoints.kubeconfig: {problem}; mend it") from None
        self._api = kubernetes.client.CustomObjectsApi(client)
        self._list = RequestList(self._api, rules, endpoints)
        self._endpoints = endpoints
        self._rules = rules
        self._sent = Sent(scenario, rules) if scenario else None
        self._slowest_s = 0.0

    def read(self, naming: Naming) -> list[Resource]:
        """Return the run's resources; those of others are left out.

        Raises:
            TruthError: if the API does not answer as it should.
        """
        begun_s = time.monotonic()
        found: list[Resource] = []
        self.list_resources(naming, found)
        self._slowest_s = max(self._slowest_s, time.monotonic() - begun_s)
        return sorted(found, key=lambda r: (r.name, r.uid))

    def list_resources(self, naming: Naming, found: list[Resource]) -> str:
        """Put the run's resources into a list; return the version from which on their changes follow.

        Raises:
            TruthError: if the API does not answer as it should.
        """

        def take(item: Mapping[str, Any]) -> None:
            if resource := self.resource_of(item, naming):
                found.append(resource)

        def begin() -> request_list.Take:
            found.clear()
            return take

        try:
            return self._list.read(begin)
        except ListError as problem:
            raise TruthError(str(problem)) from None
        except (TypeError, ValueError, LookupError, AttributeError) as problem:
            what = f"the answer is no list of resources ({type(problem).__name__}: {problem})"
            raise TruthError(f"listing {self._rules.plural}: {what}") from None

    def read_until_stable(self, naming: Naming, for_s: float) -> tuple[list[Resource], bool]:
        """Read until two readings in a row agree; tell whether they did within ``for_s`` seconds, and as long
        as three readings take that are as slow as the slowest so far.

        Raises:
            TruthError: if the API did not answer at all in that time.
        """
        last: list[Resource] | None = None
        problem: TruthError | None = None
        with gevent.Timeout(for_s + 3 * self._slowest_s, False):
            while True:
                try:
                    now = self.read(naming)
                    if now == last:
                        return now, True
                    last = now
                except TruthError as error:
                    problem = error
                gevent.sleep(_BETWEEN_READINGS_S)
        if last is None:
            raise problem or TruthError(f"no answer within {for_s:g} s")
        return last, False

    def resource_of(self, item: Mapping[str, Any], naming: Naming) -> Resource | None:
        """Return what an object tells of this run's alerts; None if it tells of none."""
        found = resource_of(item, naming, self._rules)
        if found is None or self._sent is None:
            return found
        return replace(found, differs=self._sent.differences(item, found, naming))

    def delete(self, naming: Naming) -> int:
        """Delete the run's resources, and no others; return how many there were.

        Raises:
            TruthError: if one cannot be deleted.
        """
        found = self.read(naming)
        for resource in found:
            try:
                self._api.delete_namespaced_custom_object(
                    self._rules.group,
                    self._rules.version,
                    self._endpoints.namespace,
                    self._rules.plural,
                    resource.name,
                    _request_timeout=_TIMEOUT_S,
                )
            except kubernetes.client.ApiException as problem:
                if problem.status != 404:  # Somebody was faster.
                    told = f"{problem.status} {problem.reason}"
                    raise TruthError(f"deleting {resource.name}: {told}") from None
            except (urllib3.exceptions.HTTPError, OSError) as problem:
                raise TruthError(f"deleting {resource.name}: {type(problem).__name__}") from None
        return len(found)

    def changes(self, version: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield what changes after a version, as ADDED, MODIFIED, DELETED or BOOKMARK, until the API ends the
        watch.

        Raises:
            ApiException: as the API refuses it; 410 means that the version is too old.
        """
        stream = kubernetes.watch.Watch().stream(
            self._api.list_namespaced_custom_object,
            self._rules.group,
            self._rules.version,
            self._endpoints.namespace,
            self._rules.plural,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=_WATCH_S,
            _request_timeout=(_TIMEOUT_S, _WATCH_S + _TIMEOUT_S),
        )
        for event in stream:
            yield event["type"], event["object"]


def resource_of(item: Mapping[str, Any], naming: Naming, rules: ResourceRules) -> Resource | None:
    """Return what an object tells of this run's alerts; None if it tells of none."""
    annotations = at_path(item, rules.annotations) or {}
    labels = at_path(item, rules.labels) or {}
    creator = naming.number_in(str(annotations.get(ID_ANNOTATION, "")))
    subject = naming.number_in(str(labels.get(naming.rules.object_label, "")))
    members = (naming.number_in(str(name)) for name in at_path(item, rules.aggregated) or ())
    aggregated = tuple(sorted(number for number in members if number is not None))
    if creator is None and subject is None and not aggregated:
        return None
    count = at_path(item, rules.count)
    return Resource(
        name=item["metadata"]["name"],
        uid=item["metadata"]["uid"],
        creator=creator,
        subject=subject,
        aggregated=aggregated,
        # A release that keeps no count covers its creator and nobody else.
        count=count if isinstance(count, int) else 1,
        window=str(at_path(item, rules.window) or ""),
        members=tuple(_member(each, naming) for each in at_path(item, rules.members) or ()),
    )


def _member(value: Mapping[str, Any], naming: Naming) -> Member:
    annotations, labels = value.get("signalAnnotations") or {}, value.get("signalLabels") or {}
    count = value.get("occurrenceCount")
    return Member(
        creator=naming.number_in(str(annotations.get(ID_ANNOTATION, ""))),
        subject=naming.number_in(str(labels.get("pod", ""))),
        count=count if isinstance(count, int) else 1,
    )
