"""A pod's own page of metrics: through the API server's pod proxy, or from the pod's address."""

from __future__ import annotations

import json
from typing import Any

import kubernetes.client
import requests
import urllib3.exceptions

from chaos_hooks.injection import InjectionError
from chaos_hooks.kubernetes_api import KubernetesApi, client_of
from chaos_hooks.pods import Pod, component_labels, read, selector_of
from shapes.endpoints import Endpoints, Replicas

_TIMEOUT_S = 1.0
# What the API server answers when it is the pod that does not.
_POD_IS_MUTE = ("error trying to reach service", "proxy error", "error dialing backend")


class PodError(OSError):
    """The pod gave no good answer; the message is short and says what came instead."""


class UnaskedError(Exception):
    """The pod could not even be asked: the API server itself refused, which says nothing of the pod."""


class PodMetrics:
    """The Gateway's pods, and the metrics of each, as ``endpoints.replicas`` says."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Connect; nothing is asked yet.

        Raises:
            InjectionError: if the kubeconfig cannot be used.
            ValueError: if there is no selector for the component, or no namespace.
        """
        assert endpoints.replicas
        self._how: Replicas = endpoints.replicas
        if not endpoints.kubeconfig or not endpoints.pods_namespace:
            raise ValueError("endpoints.replicas needs endpoints.kubeconfig and endpoints.pods_namespace")
        self._labels = selector_of(component_labels(endpoints.pods, self._how.component))
        self._namespace = endpoints.pods_namespace
        self._api = KubernetesApi(endpoints.kubeconfig, endpoints.context)
        self._core = kubernetes.client.CoreV1Api(client_of(endpoints.kubeconfig, endpoints.context))
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def proxied(self) -> bool:
        """Return whether the API server stands between."""
        return self._how.by == "api-proxy"

    def pods(self) -> list[Pod]:
        """Return the pods that run and are not on their way out.

        Raises:
            OSError: if the API does not answer, or refuses.
        """
        try:
            found = [read(item) for item in self._api.pods(self._namespace, self._labels)]
        except InjectionError as problem:
            raise OSError(str(problem)) from None
        return [pod for pod in found if pod.phase == "Running" and not pod.leaving]

    def text(self, pod: Pod) -> str:
        """Return a pod's metrics as it exposes them.

        Raises:
            PodError: if the pod gives none.
            UnaskedError: if the API server refused to ask it.
        """
        return self._proxied(pod) if self.proxied else self._direct(pod)

    def _direct(self, pod: Pod) -> str:
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        url = f"http://{host}:{self._how.port}{self._how.path}"
        try:
            answer = self._session.get(url, timeout=_TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as problem:
            raise PodError(f"{url}: {type(problem).__name__}") from None
        if answer.status_code != 200:
            raise PodError(f"status {answer.status_code}")
        return answer.text

    def _proxied(self, pod: Pod) -> str:
        try:
            answer: Any = self._core.connect_get_namespaced_pod_proxy_with_path(
                f"{pod.name}:{self._how.port}",
                self._namespace,
                self._how.path.lstrip("/"),
                _request_timeout=_TIMEOUT_S,
                _preload_content=False,
            )
            return str(answer.data.decode())
        except kubernetes.client.ApiException as problem:
            said = _status(problem.body)
            if said is None or any(mute in said for mute in _POD_IS_MUTE):
                raise PodError(f"status {problem.status}{f': {said}' if said else ''}"[:200]) from None
            raise UnaskedError(f"{problem.status}: {said}"[:200]) from None
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise PodError(f"no answer through the API server ({type(problem).__name__})") from None


def _status(body: Any) -> str | None:
    """Return the sentence of a Status, which is the API server's own answer; None if it is the pod's."""
    try:
        told = json.loads(body or "")
        return str(told["message"]) if told.get("kind") == "Status" else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
