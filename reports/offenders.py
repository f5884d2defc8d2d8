"""The first offenders of a run, each with its story: request, answer, fault then, log, RemediationRequest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reports import deliveries, messenger, table, traces
from reports.finding import Status
from reports.history import Attempt, History, Outcome, Resource
from reports.presentation import EXAMPLES, clip
from reports.verdict import Verdict
from shapes.alerts import Naming

_LOG = "gateway"
_LOG_LINES, _LOG_WIDTH = 4, 240
# The log's clock and this tool's meet on one machine; what stands this far around an answer may be its own.
_LOG_MARGIN_S = 0.05
_REFUSED = "safe_rejections"


@dataclass(frozen=True, slots=True)
class Story:
    """How one offender went, as (what, how) pairs; ``what`` says which promise it breaks. ``log`` is what the
    Gateway logged around that time, and ``log_words`` how the lines were found. ``trace_id`` is the trace of
    its POST, ``trace_words`` tells whose id that was made from, and ``trace_link`` where it is shown; empty
    if not known."""

    alert_id: str
    what: str
    lines: tuple[tuple[str, str], ...]
    log: tuple[str, ...] = ()
    log_words: str = ""
    trace_id: str = ""
    trace_words: str = ""
    trace_link: str = ""


def stories(history: History, verdict: Verdict, most: int = EXAMPLES) -> list[Story]:
    """Return how the first offenders went: lost alerts first, then those in two RemediationRequests, then
    RemediationRequests of no alert, then refusals that Alertmanager does not repeat. Of the last three only
    those whose criterion was asked, and failed."""
    if history.resources is None:
        return []
    held: dict[int, list[Resource]] = defaultdict(list)
    for resource in history.resources:
        if resource.subject is not None:
            held[resource.subject].append(resource)
    found: list[Story] = []
    told = list(_alerts(history, verdict, most))
    traced = traces.trace_ids(history) if told else {}
    for attempt, what in told:
        found.append(
            _story(history, attempt, what, held.get(attempt.subject, []), traced.get(attempt.number))
        )
    if _failed(verdict, "no_unexpected"):
        by_name = {resource.name: resource for resource in history.resources}
        found += [_stranger(by_name[name]) for name in verdict.account.unexpected[:most]]
    return sorted(found, key=lambda story: _ORDER.index(story.what))[:most]


_LOST = "acknowledged, and lost"
_UNPROVEN = "taken by Alertmanager, and perhaps never delivered"
_TWICE = "in more than one RemediationRequest"
_STRANGE = "comes from no alert that was sent"
_UNSAFE = "refused so that Alertmanager does not repeat it"
_ORDER = (_LOST, _UNPROVEN, _TWICE, _STRANGE, _UNSAFE)


def _alerts(history: History, verdict: Verdict, most: int) -> Iterator[tuple[Attempt, str]]:
    lost = verdict.account.lost[:most]
    wanted = dict.fromkeys(lost, _UNPROVEN if lost and messenger.doubt(history) else _LOST)
    if _failed(verdict, "no_duplicates"):
        doubled = {names[0] for names in verdict.account.duplicates[:most]}
        wanted |= {
            n: _TWICE for r in history.resources or () if r.name in doubled and (n := _who(r)) is not None
        }
    told = table.of(history)
    found = np.isin(told.number, np.fromiter(wanted, np.int64, len(wanted)))
    # Of what was sent again the try that decided counts.
    rows, ends = np.arange(len(told)), told
    if history.deliveries is not None:
        rows, ends = deliveries.answers(history)
    refused = np.zeros(len(told), bool)
    refused[rows[ends.are(Outcome.REJECTED) & ~ends.kinds("safe")]] = True
    refused &= ~found
    most = most if _failed(verdict, _REFUSED) else 0
    for row in np.union1d(np.flatnonzero(found), np.flatnonzero(refused)[:most]).tolist():
        attempt = history.attempts[row]
        yield attempt, wanted.get(attempt.number, _UNSAFE)


def _who(resource: Resource) -> int | None:
    return resource.creator if resource.creator is not None else resource.subject


def _failed(verdict: Verdict, criterion: str) -> bool:
    return any(f.criterion == criterion and f.status is Status.FAIL for f in verdict.findings)


def _story(
    history: History, attempt: Attempt, what: str, held: list[Resource], traced: tuple[str, str] | None
) -> Story:
    naming = Naming(history.run.token)
    answer = "never"
    if attempt.done_s is not None:
        since = f"{(attempt.done_s - attempt.due_s) * 1000:.0f} ms after it was due"
        status = attempt.status if attempt.status is not None else "no status"
        answer = f"{status} {attempt.kind} at {attempt.done_s:.3f} s, {since}"
    lines = [("request", _request(naming, attempt)), ("answer", answer)]
    if handed := deliveries.words(history, attempt.number):
        lines.append(("to the Gateway", handed))
    if attempt.detail:
        lines.append(("detail", attempt.detail))
    lines += [
        ("fault then", _faults_at(history, attempt.done_s or attempt.due_s)),
        ("CRD", _resources(naming, attempt, held)),
    ]
    alert_id = naming.alert_id(attempt.number)
    log, words = _logged(history, attempt, [alert_id, *(r.name for r in held)])
    if traced is None:
        return Story(alert_id, what, tuple(lines), log, words)
    trace_id, first = traced
    whose = "" if first == alert_id else f"of its POST, made from {first}"
    return Story(alert_id, what, tuple(lines), log, words, trace_id, whose, traces.link(history, trace_id))


def _request(naming: Naming, attempt: Attempt) -> str:
    words = [f"POST due at {attempt.due_s:.3f} s in phase {attempt.phase or 'not recorded'}"]
    if attempt.sent_s is not None:
        words.append(f"sent at {attempt.sent_s:.3f} s")
    words.append(f"pod label {naming.pod(attempt.subject)}")
    if attempt.subject != attempt.number:
        words.append(f"a repeat of {naming.alert_id(attempt.subject)}")
    if attempt.volley:
        words.append(f"in volley {attempt.volley}")
    if attempt.tries > 1:
        words.append(f"tried {attempt.tries:,} times")
    return ", ".join(words)


def _resources(naming: Naming, attempt: Attempt, held: list[Resource]) -> str:
    if not held:
        return "none carries its id or its labels"
    named = [
        f"{r.name} (count {r.count:,}, from "
        f"{naming.alert_id(r.creator) if r.creator is not None else 'no alert that it names'})"
        for r in held[:EXAMPLES]
    ]
    rest = f" and {len(held) - EXAMPLES:,} more" if len(held) > EXAMPLES else ""
    own = any(r.creator == attempt.number for r in held)
    words = "carries its id" if own else "none carries its id; with equal labels"
    return f"{words}: {'; '.join(named)}{rest}"


def _stranger(resource: Resource) -> Story:
    lines = (
        ("request", "none of this run explains it"),
        ("CRD", f"{resource.name}, uid {resource.uid}, count {resource.count:,}"),
    )
    return Story(resource.name, _STRANGE, lines)


def _faults_at(history: History, at_s: float) -> str:
    words = []
    for injection in history.injections:
        if injection.began is None or at_s < injection.began.earliest_s:
            continue
        if injection.ended is None or at_s <= injection.ended.latest_s:
            words.append(f"{injection.name}, on for {at_s - injection.began.earliest_s:.2f} s")
        else:
            words.append(f"{injection.name}, over for {at_s - injection.ended.latest_s:.2f} s")
    return "; ".join(words) or "none had begun"


def _logged(history: History, attempt: Attempt, names: list[str]) -> tuple[tuple[str, ...], str]:
    """Return what the Gateway logged of an alert: the lines that name it, else those of its time."""
    log = next((log for log in history.logs if log.component == _LOG), None)
    if log is None:
        return (), "no log of the Gateway is in the record"
    named = [line.text for line in log.lines if any(name in line.text for name in names)]
    if named:
        return _cut(named), "lines that name it"
    from_s = (attempt.begun_s if attempt.begun_s is not None else attempt.due_s) - _LOG_MARGIN_S
    until_s = (attempt.done_s if attempt.done_s is not None else from_s) + _LOG_MARGIN_S
    then = [line.text for line in log.lines if line.at_s is not None and from_s <= line.at_s <= until_s]
    return _cut(then), "lines of that time; none names it" if then else "the Gateway logged nothing then"


def _cut(lines: list[str]) -> tuple[str, ...]:
    return tuple(clip(line, _LOG_WIDTH) for line in lines[:_LOG_LINES])
