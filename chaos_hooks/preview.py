"""The preview of a run: its timeline, what each fault would create or break, and whom it means now."""

from __future__ import annotations

from chaos_hooks import caveats, injection
from chaos_hooks.campaign import Entry
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from chaos_hooks.injection import InjectionError
from shapes.fault import Fault
from shapes.target import Endpoints
from shapes.timeline import Timeline


def plan(entry: Entry, endpoints: Endpoints, clock: RunClock) -> tuple[list[str], bool]:
    """Return the lines, and whether every fault could be injected now. Nothing is applied."""
    told = [f"{entry.scenario.title}", f"against {entry.target.title}, pace {entry.scenario.pace}", ""]
    if entry.skip:
        return [*told, f"would be SKIPPED: {entry.skip}"], False
    if entry.scenario.through:
        told += [f"through the Alertmanager at {endpoints.alertmanager_url or '(the target starts one)'}", ""]
    told += ["timeline:", *timeline(entry), ""]
    if entry.target.start:
        told += [
            f"The target is started by the run ({entry.target.start.command}), so nobody is there to ask:"
        ]
    good = True
    for fault in entry.scenario.faults:
        told += [f"fault {fault.name}: {fault.inject} {_options(fault)}"]
        if not entry.target.start:
            lines, fine = _asked(fault, endpoints, clock)
            told, good = told + lines, good and fine
    told += [f"note: {line}" for line in caveats.caveats(entry, endpoints)]
    return [*told, "", "Nothing was applied."], good


def timeline(entry: Entry) -> list[str]:
    """Return a line for each begin of a phase and each action, in order of time."""
    lines: list[tuple[float, str]] = []
    begins_s = 0.0
    for phase in entry.scenario.phases:
        load = f"{float(phase.rate_per_s):g}/s" if phase.pattern == "steady" else f"{phase.alerts} alerts"
        what = "no load" if phase.pattern == "none" else f"{phase.pattern}, {load}"
        lines.append((begins_s, f"phase {phase.name}: {what}, {phase.for_s:g} s"))
        begins_s += phase.for_s
    timed = Timeline(entry.scenario)
    lines += [(a.at_s, f"{a.verb} {a.fault.name} ({a.fault.inject})") for a in timed.actions()]
    lines += [(timed.load_s, f"{entry.scenario.alerts} alerts are sent; settling")]
    lines += [(timed.ends_s, "the RemediationRequests are read, and it is judged")]
    return [f"  {at_s:8.1f} s  {what}" for at_s, what in sorted(lines, key=lambda line: line[0])]


def _asked(fault: Fault, endpoints: Endpoints, clock: RunClock) -> tuple[list[str], bool]:
    try:
        backend = injection.load(fault, endpoints, clock, fault.place)
        shown: tuple[str, ...] = getattr(backend, "preview", tuple)()
        reason = backend.available()
    except (SetupError, InjectionError) as problem:
        return [f"  could NOT be injected: {problem}"], False
    lines = [f"  {line}" for text in shown for line in str(text).splitlines()]
    return [*lines, f"  could NOT be injected: {reason}" if reason else "  could be injected now"], not reason


def _options(fault: Fault) -> str:
    return ", ".join(f"{key}={value}" for key, value in fault.options.items())
