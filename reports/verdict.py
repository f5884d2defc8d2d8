"""The judgement of a recorded run: every criterion asked, the worst answer wins."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import ModuleType
from typing import Any

from reports import criteria, messenger, replicas, signals
from reports.accounting import Account, account, loss_bound
from reports.bounds import at_most
from reports.finding import Finding, Status, unknown
from reports.history import Asked, History

# Asked of every run, whether the scenario names them or not.
ASSUMPTIONS = ("fault_bit", "load_on_time", "ledger_whole", "world_whole", "messenger_whole")


class State(StrEnum):
    """A run's result. INVALID is neither passed nor failed: what the run rests on did not hold."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    INVALID = "INVALID"


EXIT_CODES = {State.PASS: 0, State.FAIL: 1, State.UNKNOWN: 3, State.INVALID: 3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a run with the findings behind it, worst first, and the account of its alerts."""

    state: State
    sentence: str
    findings: tuple[Finding, ...]
    account: Account
    loss_bound: float | None

    @property
    def exit_code(self) -> int:
        """Return 0 passed, 1 failed, 3 undecided or invalid; Locust itself uses 2."""
        return EXIT_CODES[self.state]


class UnknownCriterionError(LookupError):
    """A criterion or an option that does not exist; the message lists those that do."""


def criterion_names() -> list[str]:
    """Return the names of all criteria: the files in `reports/criteria/`."""
    return sorted(module.name for module in pkgutil.iter_modules(criteria.__path__))


def load_criterion(asked: Asked) -> ModuleType:
    """Return a criterion's module after checking that it takes the options asked for.

    Raises:
        UnknownCriterionError: naming those that exist.
    """
    if asked.criterion not in criterion_names():
        raise UnknownCriterionError(
            f"unknown criterion {asked.criterion!r}; there are: {', '.join(criterion_names())}"
        )
    module = importlib.import_module(f"reports.criteria.{asked.criterion}")
    takes = [p for p in inspect.signature(module.check).parameters.values() if p.kind is p.KEYWORD_ONLY]
    known = {p.name for p in takes}
    for name in asked.options:
        if name not in known:
            listed = ", ".join(sorted(known)) or "(none)"
            raise UnknownCriterionError(f"{asked.criterion}: unknown option {name!r}; it takes: {listed}")
    for p in takes:
        if p.default is p.empty and p.name not in asked.options:
            raise UnknownCriterionError(f"{asked.criterion}: option {p.name!r} is missing")
    return module


def judge(history: History) -> Verdict:
    """Return the verdict on a run; the same history gives the same verdict, for ever.

    A criterion that raises is UNKNOWN. FAIL comes before UNKNOWN before PASS; but unless every assumption
    holds the run is INVALID, save for a conclusive failure: a proven loss stays a loss.
    """
    findings = sorted((ask(history, asked) for asked in _asked(history)), key=_worst_first)
    the_account = account(history)
    state = _state(findings)
    known = history.resources is not None and history.stable and not the_account.lost
    bound = loss_bound(the_account.acked) if known else None
    sentence = _sentence(state, findings, the_account, bound, messenger.stands_between(history))
    return Verdict(state, sentence, tuple(findings), the_account, bound)


def _asked(history: History) -> list[Asked]:
    named = {asked.criterion for asked in history.run.promises}
    implied = [Asked(name, {}) for name in ASSUMPTIONS if name not in named]
    if "no_cascade" in named or not history.samples(signals.COMPONENTS):
        # The one convicts what the other doubts; and a target without a control API has no components.
        implied = [asked for asked in implied if asked.criterion != "world_whole"]
    if not messenger.stands_between(history):
        implied = [asked for asked in implied if asked.criterion != "messenger_whole"]
    if not history.run.faults_planned and not history.run.faults_disabled:
        implied = [asked for asked in implied if asked.criterion != "fault_bit"]
    return [*history.run.promises, *implied]


def ask(history: History, asked: Asked) -> Finding:
    """Ask one criterion; one that raises, or does not exist, is UNKNOWN."""
    assumption = asked.criterion in ASSUMPTIONS
    promise, conclusive = "", False
    try:
        module = load_criterion(asked)
        promise = (module.__doc__ or "").strip().partition("\n")[0]
        conclusive = bool(getattr(module, "CONCLUSIVE", False))
        if asked.criterion in history.run.undecidable and not assumption:
            lacks = unknown(
                promise,
                f"{history.run.target} shows nothing to decide it by: "
                f"{history.run.undecidable[asked.criterion]}",
                0,
                "leave it out for this target, or judge a release that shows it",
            )
            return lacks.named(asked.criterion, promise, assumption=False, conclusive=False)
        finding = _checked(module, history, _plain(asked.options))
    except UnknownCriterionError as problem:
        finding = unknown("the criterion exists", str(problem), 0, "mend the scenario's criteria")
    except Exception as problem:  # noqa: BLE001 - a crash in a criterion must never pass, nor end the judging
        got = f"the criterion crashed: {type(problem).__name__}: {problem}"
        finding = unknown("an answer", got, 0, "report it as a bug of alertstorm, with the run folder")
    mend = finding.mend.replace("in the target file", f"in the target file ({history.run.target})")
    return replace(finding, mend=mend).named(
        asked.criterion, promise, assumption=assumption, conclusive=conclusive
    )


def _checked(module: ModuleType, history: History, options: Mapping[str, Any]) -> Finding:
    """Ask a criterion: of each replica, if it wants that and there are any; else of the run as it is."""

    def check(seen: History) -> Finding:
        finding: object = module.check(seen, **options)
        if not isinstance(finding, Finding):
            raise TypeError(f"check returned {finding!r}, which is no Finding")
        return finding

    each = getattr(module, "EACH_REPLICA", False) and replicas.are_told(history.observations)
    return replicas.judge_each(history, check) if each else check(history)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in options.items()}


def _worst_first(finding: Finding) -> tuple[int, bool]:
    order = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PASS: 2}
    return order[finding.status], not finding.assumption


def _state(findings: list[Finding]) -> State:
    statuses = {finding.status for finding in findings}
    if any(f.status is Status.FAIL and f.conclusive for f in findings):
        return State.FAIL
    if any(f.assumption and f.status is not Status.PASS for f in findings):
        return State.INVALID
    for status, state in ((Status.FAIL, State.FAIL), (Status.UNKNOWN, State.UNKNOWN)):
        if status in statuses:
            return state
    return State.PASS if findings else State.UNKNOWN


def _sentence(
    state: State, findings: list[Finding], the_account: Account, bound: float | None, between: bool
) -> str:
    alerts = "alerts that Alertmanager took" if between else "acknowledged alerts"
    lost = f"{len(the_account.lost):,} of {the_account.acked:,} {alerts} lost"
    if bound is not None:
        lost += f", at most {at_most(bound)} at 95 %"
    if state is State.PASS:
        return f"PASS: {lost}."
    blamed = [f for f in findings if _to_blame(state, f)]
    names = ", ".join(f.criterion for f in blamed)
    first = blamed[0].got if blamed else "no criterion was asked"
    if state is State.FAIL:
        # The loss criterion's own words would only repeat the count.
        rest = "" if blamed[0].criterion == "zero_loss" else f" {blamed[0].criterion}: {first}."
        return f"FAIL: {lost}. Convicted by {names}.{rest}"
    what = "UNDECIDED" if state is State.UNKNOWN else "INVALID, neither passed nor failed"
    return f"{what}: {names}: {first}."


def _to_blame(state: State, finding: Finding) -> bool:
    if state is State.FAIL:
        return finding.status is Status.FAIL
    if state is State.INVALID:
        return finding.assumption and finding.status is not Status.PASS
    return finding.status is Status.UNKNOWN
