"""What must hold before the first alert goes out: allowed, reachable, ready, and nothing left over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import requests

from chaos_hooks import injection, journal, replica_probes
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError, Injector
from chaos_hooks.options import Options
from chaos_hooks.truth import Truth, TruthError
from reports.history import Asked
from reports.verdict import UnknownCriterionError, load_criterion
from shapes import allow
from shapes.alerts import Naming
from shapes.allow import NOTHING_SAID, Allow
from shapes.scenario import Scenario
from shapes.target import Endpoints, Target, is_loopback

_TIMEOUT_S = 3.0


def check_scenario(scenario: Scenario, injector_names: list[str]) -> None:
    """Refuse criteria, options and injectors that do not exist, before anything is started.

    Raises:
        SetupError: naming the place in the scenario file, and what exists.
    """
    for promise in scenario.promises:
        try:
            load_criterion(Asked(promise.criterion, promise.options))
        except UnknownCriterionError as problem:
            raise SetupError(f"{promise.place}: {problem}") from None
    names = [fault.name for fault in scenario.faults]
    for fault in scenario.faults:
        if fault.inject not in injector_names:
            listed = ", ".join(injector_names)
            raise SetupError(f"{fault.place}.inject: unknown injector {fault.inject!r}; there are: {listed}")
        if names.count(fault.name) > 1:
            raise SetupError(f"{fault.place}.name: {fault.name!r} stands twice; give each fault its own name")


def complete(endpoints: Endpoints, target: Target, options: Options, run_id: str = "") -> Endpoints:
    """Return the endpoints with what the user gave, what follows from the Gateway's address, and the run.

    Raises:
        SetupError: if there is no Gateway address.
    """
    gateway = (options.target_url or endpoints.gateway_url).rstrip("/")
    if not gateway:
        place = f"scenarios/targets/{target.name}.yaml: endpoints.gateway_url"
        raise SetupError(f"{place}: is missing; write it there, or give --chaos-target-url")
    if not _is_url(gateway):
        place = "--chaos-target-url" if options.target_url else "endpoints.gateway_url"
        raise SetupError(f"{place}: {gateway!r} is no URL; write it like http://127.0.0.1:8080")
    # Another Gateway than the file's has its metrics and readiness elsewhere, too.
    kept = endpoints if not options.target_url else replace(endpoints, metrics_url="", ready_url="")
    return replace(
        kept,
        gateway_url=gateway,
        metrics_url=kept.metrics_url or f"{gateway}/metrics",
        ready_url=kept.ready_url or f"{gateway}/readyz",
        run_id=run_id,
    )


def headers(target: Target) -> dict[str, str]:
    """Return the headers of each POST, with the token of the target's ``token_file``, which is kept nowhere.

    Raises:
        SetupError: if that file cannot be read, or holds no token.
    """
    if not target.token_file:
        return dict(target.headers)
    place = f"scenarios/targets/{target.name}.yaml: token_file"
    try:
        token = Path(target.token_file).expanduser().read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise SetupError(f"{place}: {target.token_file}: {problem}; write a bearer token into it") from None
    if not token or len(token.split()) != 1:
        raise SetupError(f"{place}: {target.token_file}: holds no token; write a bearer token into it")
    return {**target.headers, "Authorization": f"Bearer {token}"}


def guard(endpoints: Endpoints, options: Options, allowed: Allow = NOTHING_SAID) -> None:
    """Refuse to load or break anything that is neither loopback nor named by the user or the target file.

    Raises:
        SetupError: naming the address and how to allow it.
    """
    for field in (
        "gateway_url",
        "metrics_url",
        "ready_url",
        "control_url",
        "faults_url",
        "proxy_url",
        "alertmanager_url",
    ):
        url = getattr(endpoints, field)
        if not url:
            continue
        if not _is_url(url):
            raise SetupError(f"endpoints.{field}: {url!r} is no URL; write it like http://127.0.0.1:8080")
        host = urlsplit(url).hostname
        named = host == options.allow_target.lower() or allow.matches(host or "", allowed.hosts)
        if not is_loopback(url) and not named:
            given = field == "gateway_url" and options.target_url
            place = "--chaos-target-url" if given else f"endpoints.{field}"
            raise SetupError(
                f"{place}: {url} is not loopback; if you mean to load and break it, "
                f"say so with --chaos-allow-target {host}"
            )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # As for http://[::1
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def answers(endpoints: Endpoints) -> list[str]:
    """Ask the Gateway whether it is ready, and for its metrics; return what is to be told.

    Raises:
        SetupError: naming the URL and what came instead. A Gateway that has no metrics (404) is told, not
            refused: the criteria that need them will say UNKNOWN.
    """
    told = [replica_probes.told(endpoints)] if endpoints.replicas else []
    for url in (endpoints.ready_url, *(() if endpoints.replicas else (endpoints.metrics_url,))):
        try:
            with requests.Session() as session:
                session.trust_env = False
                status = session.get(url, timeout=_TIMEOUT_S, allow_redirects=False).status_code
        except requests.RequestException as problem:
            raise SetupError(
                f"{url}: does not answer ({type(problem).__name__}); start the Gateway, or mend the address"
            ) from None
        if status == 404 and url == endpoints.metrics_url:
            told.append(f"{url}: there are no metrics (404); what is judged by them will be UNKNOWN")
        elif status != 200:
            raise SetupError(f"{url}: answered {status}, wanted 200; wait until the Gateway is ready")
    return told


def readable(truth: Truth) -> None:
    """Read the RemediationRequests once.

    Raises:
        SetupError: if they cannot be read.
    """
    try:
        truth.read(Naming("none"))
    except TruthError as problem:
        raise SetupError(f"endpoints.kubeconfig: {problem}; mend the kubeconfig, namespace or CRD") from None


def load_injectors(scenario: Scenario, endpoints: Endpoints, clock: RunClock) -> dict[str, Injector]:
    """Return each fault's backend, by the fault's name.

    Raises:
        SetupError: if one is not available, with its reason.
    """
    found: dict[str, Injector] = {}
    for fault in scenario.faults:
        found[fault.name] = injection.load(fault, endpoints, clock, fault.place)
        reason = found[fault.name].available()
        if reason:
            raise SetupError(f"{fault.place}: {fault.inject} is not available: {reason}")
    return found


def sweep(runs: Path, endpoints: Endpoints, clock: RunClock) -> list[str]:
    """Heal what earlier runs left behind; return what was found.

    Raises:
        SetupError: if something is still broken; a run over it would prove nothing.
    """
    told = []
    for left in journal.leftovers(runs):
        place = f"{left.folder}/{journal.NAME}"
        backend = injection.revive(left.injector, left.fault, left.undo, endpoints, clock, place)
        try:
            how = backend.sweep(left.undo)
        except InjectionError as problem:
            raise SetupError(
                f"{place}: fault {left.fault} is still on ({problem}); heal it by hand, then remove that file"
            ) from None
        journal.mark_swept(left, how)
        told.append(f"swept {left.fault} of {left.folder.name}: {how}")
    return told
