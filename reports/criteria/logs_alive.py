"""A component goes on logging while the fault is on, or logs what is wanted of it then."""

from __future__ import annotations

import itertools
from dataclasses import replace

from reports import pod_logs, replicas, signals
from reports.finding import Finding, Status, failed, passed, unknown
from reports.history import History
from reports.interval import Interval
from reports.log import Log, LogLine


def check(
    history: History,
    *,
    component: str = "gateway",
    contains: str = "",
    fault: str = "",
    max_gap_s: float = 5.0,
) -> Finding:
    """With ``contains``, look for a line of that time that holds the text, in whatever case; without, for a
    silence of more than ``max_gap_s`` seconds."""
    wanted = f"{component} logs " + (f"{contains!r}" if contains else f"every {max_gap_s:g} s") + " meanwhile"
    on = signals.while_on(history, fault)
    if on is None:
        return unknown(wanted, "the fault never began", 0, "see fault_bit")
    log = next((log for log in history.logs if log.component == component), None)
    if log is None or not log.lines:
        return unknown(wanted, "it has no log in the run folder", 0, f"see logs/{component}.log")
    timed = [line for line in log.lines if line.at_s is not None]
    if not timed:
        mend = "let it log each line with an RFC 3339 time and zone"
        return unknown(wanted, "no line carries a time", len(log.lines), mend)
    meanwhile = [line for line in timed if on.earliest_s <= (line.at_s or 0.0) <= on.latest_s]
    if contains:
        return _wanted_line(wanted, contains, log, meanwhile)
    pods = pod_logs.by_pod(history, log, on)
    if len(pods) > 1:
        return _every_pod(history, wanted, pods, on, max_gap_s)
    return _no_silence(history, wanted, log, meanwhile, on, max_gap_s)


def _every_pod(
    history: History, wanted: str, pods: dict[str, Log], on: Interval, max_gap_s: float
) -> Finding:
    """Judge each pod that was there all the while; a silent one is convicted only if it is known to have got
    alerts then: they may all have gone to the others."""
    views = {one.name: replicas.view(history, one) for one in replicas.of(history.observations)}
    found = {}
    for name, log in pods.items():
        meanwhile = [line for line in log.lines if on.earliest_s <= (line.at_s or 0.0) <= on.latest_s]
        finding = _no_silence(history, wanted, log, meanwhile, on, max_gap_s)
        view = views.get(name)
        if finding.status is Status.FAIL and not (
            view and signals.was_asked(view, on.earliest_s, on.latest_s)
        ):
            mend = "let the target name its replicas and map metrics.received: it tells who got alerts"
            got = f"{finding.got}, and nothing shows that it got alerts"
            finding = unknown(wanted, got, finding.samples, mend, numbers=finding.numbers)
        found[name] = finding
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    worst = min(found, key=lambda name: order.index(found[name].status))
    told = tuple(f"{name}: {finding.status.value}: {finding.got}" for name, finding in found.items())
    return replace(
        found[worst],
        got=f"{worst}: {found[worst].got}",
        samples=sum(finding.samples for finding in found.values()),
        examples=told,
    )


def _wanted_line(wanted: str, contains: str, log: Log, meanwhile: list[LogLine]) -> Finding:
    found = [line for line in meanwhile if contains.lower() in line.text.lower()]
    if found:
        got = f"{len(found)} of {len(meanwhile)} lines, the first at {found[0].at_s:.2f} s"
        return passed(wanted, got, len(meanwhile))
    got = f"none of {len(meanwhile)} lines"
    if not log.whole or not meanwhile:
        mend = (
            "the log is too long to be read whole"
            if meanwhile
            else "it logged nothing; is it the right fault?"
        )
        return unknown(wanted, got, len(meanwhile), mend)
    return failed(wanted, got, len(meanwhile))


def _no_silence(
    history: History, wanted: str, log: Log, meanwhile: list[LogLine], on: Interval, max_gap_s: float
) -> Finding:
    marks = sorted([on.earliest_s, *(line.at_s or 0.0 for line in meanwhile), on.latest_s])
    gap_s, at_s = max((later - earlier, earlier) for earlier, later in itertools.pairwise(marks))
    got = f"{len(meanwhile)} lines, silent for up to {gap_s:.2f} s, from {at_s:.2f} s on"
    numbers = {"longest_gap_s": gap_s}
    if gap_s <= max_gap_s and meanwhile:
        return passed(wanted, got, len(meanwhile), numbers)
    if not log.whole:
        return unknown(wanted, got, len(meanwhile), "the log is too long to be read whole", numbers=numbers)
    silent = Interval(at_s, at_s + gap_s)
    if not signals.due_within(history, silent):
        mend = "raise the rate, or max_gap: there was nothing to log"
        return unknown(wanted, f"{got}, and no alert fell due then", len(meanwhile), mend, numbers=numbers)
    return failed(wanted, got, len(log.lines), numbers=numbers)
