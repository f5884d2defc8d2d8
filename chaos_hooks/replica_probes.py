"""The probes of a Gateway's replicas: once a second who is there, and each pod's metrics by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from chaos_hooks import metric_page
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from chaos_hooks.pod_metrics import PodError, PodMetrics, UnaskedError
from chaos_hooks.pods import Pod, listed
from reports import replica_sums
from reports.history import Observation
from reports.replicas import PREFIX, PRESENCE, PROXIED
from reports.signals import METRICS
from shapes.target import Endpoints, Target

Read = Callable[[str], Mapping[str, float]]
Question = Callable[[], Mapping[str, float]]
LIMIT = 50  # Several questions a second to each, through the API server perhaps: more is no probe but a load.


class Prober(Protocol):
    """Who asks, and writes the answers down."""

    def start(self, questions: Mapping[str, Question]) -> None:
        """Begin to ask."""

    def follow(self, name: str, question: Question) -> None:
        """Begin to ask one more."""

    def leave(self, name: str) -> None:
        """Ask it no more."""


class Followed:
    """Who is there: asks the API for the pods, and begins to follow each that comes, and leaves who goes."""

    def __init__(
        self,
        pages: PodMetrics,
        read: Read,
        follow: Callable[[str, Question], None],
        leave: Callable[[str], None],
    ) -> None:
        self._pages = pages
        self._read = read
        self._follow = follow
        self._leave = leave
        self._known: dict[str, str] = {}

    def __call__(self) -> Mapping[str, float]:
        """Ask once.

        Raises:
            OSError: if the API does not answer, or refuses.
        """
        found = {pod.uid: pod for pod in self._pages.pods()[:LIMIT]}
        for uid in self._known.keys() - found.keys():
            self._leave(self._known.pop(uid))
        for uid, pod in found.items():
            if uid not in self._known:
                self._known[uid] = f"{PREFIX}{pod.name}:{uid}"
                self._follow(self._known[uid], OfPod(self._pages, pod, self._read))
        values = {f"{pod.name}:{uid}": float(pod.ready) for uid, pod in found.items()}
        return {**values, PROXIED: float(self._pages.proxied)}


class OfPod:
    """One pod's metrics, reduced to what the target file maps."""

    def __init__(self, pages: PodMetrics, pod: Pod, read: Read) -> None:
        self._pages = pages
        self._pod = pod
        self._read = read

    def __call__(self) -> Mapping[str, float]:
        """Ask once; raises as `PodMetrics.text` does, and ValueError if it is no page of metrics."""
        return self._read(self._pages.text(self._pod))


class Together:
    """All replicas asked one after another, for who only wants to know how the Gateway stands."""

    def __init__(self, endpoints: Endpoints, read: Read) -> None:
        self._endpoints = endpoints
        self._read = read

    def __call__(self) -> Mapping[str, float]:
        """Ask once; the largest state and gauge, and the sum of the counters.

        Raises:
            OSError: if the API or a pod does not answer.
        """
        try:
            pages = connect(self._endpoints)
            answers = [self._read(pages.text(pod)) for pod in pages.pods()[:LIMIT]]
        except (UnaskedError, SetupError) as problem:
            raise OSError(str(problem)) from None
        one = replica_sums.worst(Observation(METRICS, 0.0, 0.0, True, values) for values in answers)
        if one is None:
            raise OSError("there is no pod")
        return one.values


def connect(endpoints: Endpoints) -> PodMetrics:
    """Return the pages of the replicas.

    Raises:
        SetupError: if the target file does not say enough, or the kubeconfig cannot be used.
    """
    try:
        return PodMetrics(endpoints)
    except (ValueError, InjectionError) as problem:
        raise SetupError(f"endpoints.replicas: {problem}") from None


def told(endpoints: Endpoints) -> str:
    """Ask every replica for its metrics once, and return who they are.

    Raises:
        SetupError: if there is none, or one shows no metrics.
    """
    pages = connect(endpoints)
    assert endpoints.replicas
    try:
        found = pages.pods()
    except OSError as problem:
        raise SetupError(f"endpoints.replicas: {problem}") from None
    if not found or len(found) > LIMIT:
        raise SetupError(
            f"endpoints.replicas: {len(found)} pods run as {endpoints.replicas.component}, "
            f"wanted 1 to {LIMIT}; see endpoints.pods.{endpoints.replicas.component}"
        )
    for pod in found:
        try:
            metric_page.read_metrics(pages.text(pod), {})
        except UnaskedError as problem:
            mend = "; it takes the verb get of pods/proxy, see manifests/rbac" if pages.proxied else ""
            raise SetupError(f"endpoints.replicas: {pod.name}: may not be asked ({problem}){mend}") from None
        except (PodError, ValueError) as problem:
            what = f"endpoints.replicas: {pod.name}: shows no metrics ({problem}); mend the port"
            raise SetupError(what) from None
    return f"{len(found)} replicas, each asked by itself ({endpoints.replicas.by}): {listed(found)}"


def begin(prober: Prober, questions: Mapping[str, Question], endpoints: Endpoints, target: Target) -> None:
    """Let a prober ask these questions; where there are replicas, each of them in place of the metrics."""
    asked = dict(questions)
    if endpoints.replicas:
        del asked[METRICS]
        read = metric_page.reader(target)
        asked[PRESENCE] = Followed(connect(endpoints), read, prober.follow, prober.leave)
    prober.start(asked)
