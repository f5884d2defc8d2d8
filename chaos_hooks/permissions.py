"""Permissions: what a run needs of the Kubernetes API, and whether it has it, by SelfSubjectAccessReview."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import kubernetes.client
import urllib3.exceptions

from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.kubernetes_api import client_of
from shapes.target import Endpoints, ResourceRules

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Needed:
    """A verb on a resource of a group in a namespace; ``resource`` may name a subresource after a slash."""

    verb: str
    group: str
    resource: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group} in {self.namespace}"


def reading(rules: ResourceRules, endpoints: Endpoints) -> list[Needed]:
    """Return what reading back needs."""
    requests = (rules.group, rules.plural, endpoints.namespace)
    found = [Needed(verb, *requests) for verb in ("list", "watch")]
    if endpoints.pods_namespace:
        where = endpoints.pods_namespace
        found += [Needed(verb, "", kind, where) for kind in ("pods", "events") for verb in ("list", "watch")]
        found += [Needed("get", "", "pods/log", where)]
        if endpoints.replicas and endpoints.replicas.by == "api-proxy":
            found += [Needed("get", "", "pods/proxy", where)]
    return found


def breaking(injectors: Iterable[str], plurals: Iterable[str], endpoints: Endpoints) -> list[Needed]:
    """Return what these fault backends need, and the experiments of these plurals."""
    where = endpoints.pods_namespace
    verbs = ("create", "get", "list", "delete")
    found = [Needed(verb, "chaos-mesh.org", plural, where) for plural in plurals for verb in verbs]
    if "kubernetes" in injectors:
        found += [Needed("delete", "", "pods", where)]
    return found


def connect(endpoints: Endpoints) -> kubernetes.client.AuthorizationV1Api:
    """Return the API that answers.

    Raises:
        SetupError: if the kubeconfig cannot be used.
    """
    try:
        return kubernetes.client.AuthorizationV1Api(client_of(endpoints.kubeconfig, endpoints.context))
    except InjectionError as problem:
        raise SetupError(f"endpoints.kubeconfig: {problem}; mend it") from None


def may(api: kubernetes.client.AuthorizationV1Api, needed: Needed) -> bool:
    """Return whether whoever the kubeconfig names may do it.

    Raises:
        SetupError: if the API does not answer that.
    """
    resource, _, subresource = needed.resource.partition("/")
    attributes = kubernetes.client.V1ResourceAttributes(
        verb=needed.verb,
        group=needed.group,
        resource=resource,
        subresource=subresource or None,
        namespace=needed.namespace,
    )
    spec = kubernetes.client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
    review = kubernetes.client.V1SelfSubjectAccessReview(spec=spec)
    try:
        said = api.create_self_subject_access_review(review, _request_timeout=_TIMEOUT_S)
    except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError, OSError) as problem:
        what = getattr(problem, "status", "") or type(problem).__name__
        raise SetupError(f"cannot be asked for ({what}); see kubectl auth can-i --list") from None
    return bool(said.status and said.status.allowed)
