"""The Kubernetes API as fault backends use it: official client, no hidden retries, answers as plain JSON.

Every call may raise `json_api.Refused` with the API's status and sentence, or InjectionError if nothing came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import kubernetes.client
import kubernetes.config
import urllib3.exceptions
import yaml
from kubernetes.client import ApiException

from chaos_hooks.injection import InjectionError
from chaos_hooks.json_api import Refused
from shapes.target import is_loopback

IN_CLUSTER = "in-cluster"
MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER = "alertstorm"
_TIMEOUT_S = 10.0
_PAGE = 500


class KubernetesApi:
    """Objects by path, JSON in and out; it can create, read and delete, and has no verb that changes one."""

    def __init__(self, kubeconfig: str, context: str = "") -> None:
        """Read the kubeconfig (``in-cluster``: the pod's own account); nothing is asked yet.

        Raises:
            InjectionError: if it cannot be used.
        """
        client = client_of(kubeconfig, context)
        self._plain: Callable[[Any], Any] = client.sanitize_for_serialization
        self._custom = kubernetes.client.CustomObjectsApi(client)
        self._core = kubernetes.client.CoreV1Api(client)

    def create(self, place: Place, body: Mapping[str, Any], *, rehearse: bool = False) -> dict[str, Any]:
        """Create an object, unknown fields refused. ``rehearse``: all checks are made, nothing is kept."""
        with _told(f"create {place}"):
            made: dict[str, Any] = self._custom.create_namespaced_custom_object(
                *place.kind,
                body=dict(body),
                dry_run="All" if rehearse else None,
                field_validation="Strict",
                _request_timeout=_TIMEOUT_S,
            )  # type: ignore[assignment]
        return made

    def get(self, place: Place, name: str) -> dict[str, Any]:
        """Return an object."""
        with _told(f"get {place}/{name}"):
            found: dict[str, Any] = self._custom.get_namespaced_custom_object(
                *place.kind, name=name, _request_timeout=_TIMEOUT_S
            )  # type: ignore[assignment]
        return found

    def listed(self, place: Place, labels: str) -> list[dict[str, Any]]:
        """Return the objects with these labels."""
        with _told(f"list {place}"):
            found: Any = self._custom.list_namespaced_custom_object(
                *place.kind, label_selector=labels, _request_timeout=_TIMEOUT_S
            )
        items: list[dict[str, Any]] = found["items"]
        return items

    def delete(self, place: Place, name: str) -> None:
        """Ask for an object's deletion; finalizers may keep it for a while."""
        with _told(f"delete {place}/{name}"):
            self._custom.delete_namespaced_custom_object(
                *place.kind, name=name, propagation_policy="Background", _request_timeout=_TIMEOUT_S
            )

    def pods(self, namespace: str, labels: str = "") -> list[dict[str, Any]]:
        """Return the pods of a namespace, by name."""
        found: list[dict[str, Any]] = []
        more = ""
        while True:
            with _told(f"list pods of {namespace}"):
                page = self._core.list_namespaced_pod(
                    namespace,
                    label_selector=labels or None,
                    limit=_PAGE,
                    _continue=more or None,
                    _request_timeout=_TIMEOUT_S,
                )
            plain = self._plain(page)
            found += plain["items"]
            more = plain["metadata"].get("continue", "")
            if not more:
                return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def delete_pod(self, namespace: str, name: str, uid: str, grace_s: int) -> None:
        """Delete this very pod: one of its name that came later is refused (409)."""
        options = kubernetes.client.V1DeleteOptions(
            grace_period_seconds=grace_s, preconditions=kubernetes.client.V1Preconditions(uid=uid)
        )
        with _told(f"delete pod {namespace}/{name}"):
            self._core.delete_namespaced_pod(name, namespace, body=options, _request_timeout=_TIMEOUT_S)

    def events(self, namespace: str, uid: str) -> list[str]:
        """Return what the warnings about an object say, the oldest first."""
        with _told(f"list events of {namespace}"):
            page = self._core.list_namespaced_event(
                namespace, field_selector=f"involvedObject.uid={uid}", _request_timeout=_TIMEOUT_S
            )
        events = self._plain(page)["items"]
        return [str(event.get("message", "")) for event in events if event.get("type") == "Warning"]


class Place:
    """Where custom objects of a kind are: group, version, namespace and plural."""

    def __init__(self, group: str, version: str, namespace: str, plural: str) -> None:
        self.kind = (group, version, namespace, plural)
        self.namespace = namespace
        self.plural = plural

    def __str__(self) -> str:
        return f"{self.plural} of {self.namespace}"


def client_of(kubeconfig: str, context: str) -> kubernetes.client.ApiClient:
    """Return the official client for a kubeconfig (``in-cluster``: the pod's own account), without retries.

    Raises:
        InjectionError: if it cannot be used.
    """
    configuration = kubernetes.client.Configuration()
    try:
        if kubeconfig == IN_CLUSTER:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
        else:
            kubernetes.config.load_kube_config(
                kubeconfig, context=context or None, client_configuration=configuration
            )
    except (
        kubernetes.config.ConfigException,
        OSError,
        yaml.YAMLError,
        TypeError,  # What the client raises for YAML that is no kubeconfig at all.
        LookupError,
        AttributeError,
    ) as problem:
        said = " ".join(str(problem).split())
        raise InjectionError(f"kubeconfig {kubeconfig}: {said}") from None
    if is_loopback(configuration.host):
        configuration.proxy = None  # The client takes it from the environment, for loopback too.
    configuration.retries = False
    return kubernetes.client.ApiClient(configuration)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except ApiException as problem:
        raise Refused(f"{what}: {problem.status}: {_sentence(problem)}", int(problem.status or 0)) from None
    except (urllib3.exceptions.HTTPError, OSError) as problem:
        raise InjectionError(f"{what}: no answer ({type(problem).__name__})") from problem


def _sentence(problem: ApiException) -> str:
    try:
        body = yaml.safe_load(problem.body or "")
        return str(body["message"])
    except (yaml.YAMLError, TypeError, LookupError):
        return str(problem.reason)
