"""The doctor: what a run would need of its target, asked for one by one, without a single alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import requests

from chaos_hooks import (
    alertmanager,
    caveats,
    description,
    experiment,
    injection,
    permissions,
    preflight,
    replica_probes,
)
from chaos_hooks.campaign import Entry
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.metric_page import read_metrics, reader
from chaos_hooks.permissions import Needed
from chaos_hooks.truth import Truth
from reports import rehearsal
from shapes.target import Endpoints

_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at; ``bad`` says what is wrong with it, empty: nothing."""

    what: str
    bad: str = ""
    note: str = ""

    def __str__(self) -> str:
        said = self.bad or self.note
        return f"{'BAD' if self.bad else 'ok '}  {self.what}{f': {said}' if said else ''}"


def examine(entry: Entry, endpoints: Endpoints) -> tuple[list[str], bool]:
    """Return a line for each thing that was looked at, and whether a run could begin."""
    if entry.target.start:
        line = "the target is started by the run; start it yourself and give --target-url to ask it"
        return [line, *_undecided(entry, endpoints)], True
    found = [*_reached(entry, endpoints), *_allowed(entry, endpoints), *_injectors(entry, endpoints)]
    good = not any(each.bad for each in found)
    told = [f"note  {line}" for line in caveats.caveats(entry, endpoints)]
    return [*map(str, found), *told, "", *_undecided(entry, endpoints)], good


def _reached(entry: Entry, endpoints: Endpoints) -> Iterator[Found]:
    yield _tried("headers and token", lambda: preflight.headers(entry.target))
    if endpoints.replicas:
        yield _tried("replicas", lambda: replica_probes.told(endpoints))
        yield _shown_together(entry, endpoints)
    alone = () if endpoints.replicas else (("metrics", endpoints.metrics_url),)
    for what, url in (("readiness", endpoints.ready_url), *alone):
        try:
            answer = requests.get(url, timeout=_TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as problem:
            yield Found(f"{what} {url}", f"does not answer ({type(problem).__name__})")
            continue
        if what == "metrics" and answer.status_code == 200:
            yield _shown(entry, url, answer.text)
        else:
            yield Found(f"{what} {url}", "" if answer.status_code == 200 else f"answers {answer.status_code}")
    if entry.scenario.through:
        yield _tried(f"Alertmanager {endpoints.alertmanager_url}", lambda: alertmanager.connect(endpoints))
    if endpoints.kubeconfig:
        yield _tried(
            f"RemediationRequests of {endpoints.namespace}",
            lambda: preflight.readable(Truth(endpoints, entry.target.resources)),
        )
    else:
        yield Found("RemediationRequests", "the target has no kubeconfig; nothing could be read back")


def _shown(entry: Entry, url: str, text: str) -> Found:
    try:
        values = read_metrics(text, entry.target.metrics)
    except ValueError as problem:
        return Found(f"metrics {url}", f"cannot be read ({problem})")
    return Found(f"metrics {url}", "", _lacking(entry, values))


def _shown_together(entry: Entry, endpoints: Endpoints) -> Found:
    try:
        values = replica_probes.Together(endpoints, reader(entry.target))()
    except (SetupError, OSError, ValueError) as problem:
        return Found("metrics of all replicas", str(problem))
    return Found("metrics of all replicas", "", _lacking(entry, values))


def _lacking(entry: Entry, values: Mapping[str, float]) -> str:
    missing = sorted(key for key in entry.target.metrics if key not in values)
    told = f"not shown now: {', '.join(missing)} (some come with their first event)" if missing else ""
    return told or "all that the target file maps are shown"


def _allowed(entry: Entry, endpoints: Endpoints) -> Iterator[Found]:
    if not endpoints.kubeconfig:
        return
    needed = [
        *permissions.reading(entry.target.resources, endpoints),
        *permissions.breaking([fault.inject for fault in entry.scenario.faults], _kinds(entry), endpoints),
    ]
    try:
        api = permissions.connect(endpoints)
    except SetupError as problem:
        yield Found("permissions", str(problem))
        return
    lacking: list[Needed] = []
    for each in needed:
        try:
            if not permissions.may(api, each):
                lacking.append(each)
        except SetupError as problem:
            yield Found("permissions", str(problem))
            return
    mend = "; kubectl apply -k manifests/rbac, or have somebody do it"
    listed = "; ".join(map(str, lacking))
    yield Found(f"permissions ({len(needed)} asked for)", f"may not {listed}{mend}" if lacking else "")


def _kinds(entry: Entry) -> list[str]:
    """Return the plurals of the experiments that the scenario's faults would create."""
    named = [str(f.options.get("manifest", "")) for f in entry.scenario.faults if f.inject == "chaos_mesh"]
    return sorted({experiment.PLURALS[experiment.read(name, {})["kind"]] for name in named})


def _injectors(entry: Entry, endpoints: Endpoints) -> Iterator[Found]:
    for fault in entry.scenario.faults:
        what = f"fault {fault.name} by {fault.inject}"
        try:
            backend = injection.load(fault, endpoints, RunClock(), fault.place)
        except SetupError as problem:
            yield Found(what, str(problem))
            continue
        yield Found(what, backend.available())


def _undecided(entry: Entry, endpoints: Endpoints) -> list[str]:
    skipped = description.skipped(entry.scenario)
    asked = tuple(p for p in entry.scenario.promises if p.criterion not in skipped)
    found = rehearsal.undecidable(replace(entry.scenario, promises=asked), entry.target, endpoints)
    told = [f"SKIPPED: {name}: {why}" for name, why in skipped.items()]
    told += [f"UNKNOWN whatever happens: {f.criterion}: {f.got}; {f.mend}" for f in found]
    count = len(entry.scenario.promises)
    return told or [
        f"each of the {count} criteria could be decided against this target, as far as its file tells"
    ]


def _tried(what: str, attempt: object) -> Found:
    assert callable(attempt)
    try:
        note = attempt()
    except SetupError as problem:
        return Found(what, str(problem))
    return Found(what, "", note if isinstance(note, str) else "")
