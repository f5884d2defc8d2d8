"""The command line options of this tool, all prefixed --chaos-, as Locust shows and forwards them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shapes import pattern, scenario

HOME = Path(__file__).resolve().parent.parent
SCENARIOS = HOME / "scenarios"
TARGETS = SCENARIOS / "targets"
RUNS = HOME / "reports" / "runs"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; empty text means: not given."""

    scenario: str
    pace: str
    target: str
    target_url: str
    allow_target: str
    gateway_command: str
    gateway_port: int
    start_args: str
    no_faults: bool
    runs_dir: str
    seed: int
    pattern: str
    rate: str
    count: int
    duration: str
    alert_name: str
    resume: str = ""
    prometheus_url: str = ""
    notify_url: str = ""
    metrics_port: str = ""
    traceparent: bool = False
    jaeger_url: str = ""
    grafana_url: str = ""
    grafana_token_file: str = ""
    explore: int = -1
    explore_runs: int = 20
    explore_for: str = "15m"


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    # What may be changed in the web form. The others name programs, files and hosts: whoever reaches the
    # UI's port, a foreign page in the user's browser too, must not choose those.
    in_web_form: bool = False


def _options() -> tuple[_Option, ...]:
    shown = True
    return (
        # The empty choice is for the web form: without a scenario there may be a pattern, and the reverse.
        _Option(
            "scenario", "", "a file's name in scenarios/, or a path with a /", (*_scenarios(), ""), shown
        ),
        _Option("pace", "quick", "timings and rates of the scenario", scenario.PACES, shown),
        _Option("no-faults", False, "send the load, inject nothing; the run cannot pass", (), shown),
        _Option("seed", -1, "seed of the repeats; -1: the scenario's", (), shown),
        _Option("pattern", "", "load without scenario and faults", ("", *pattern.NAMES), shown),
        _Option("rate", "", "of the pattern steady, like 10/min", (), shown),
        _Option("count", 0, "alerts of the patterns storm and duplicates", (), shown),
        _Option("duration", "", "of the pattern, like 2m", (), shown),
        _Option("alert-name", "", "alertname of the pattern's alerts (default: PodCrashed)", (), shown),
        _Option(
            "target",
            "",
            "target file's name in scenarios/targets/, or a path with a / (default: the scenario's)",
        ),
        _Option("target-url", "", "the Gateway's base URL, in place of the target file's"),
        _Option("allow-target", "", "a host that is not loopback and may be loaded and broken, by its name"),
        _Option("gateway-command", "", "program the sandbox runs in the reference Gateway's place"),
        _Option("gateway-port", 0, "port the sandbox's Gateway listens on (default: a free one)"),
        _Option("start-args", "", "further arguments for the target's start command, as a shell reads them"),
        _Option("resume", "", "go on with a campaign that was broken off: its id, its path, or latest"),
        _Option("prometheus-url", "", "Prometheus that scrapes the Gateway, asked at the end of a run"),
        _Option("notify-url", "", "URL that gets the verdict's JSON by POST at the end"),
        _Option("traceparent", False, "give each POST a W3C traceparent, made from its alert's id"),
        _Option("jaeger-url", "", "Jaeger's UI, to which reports link the traces of lost alerts"),
        _Option("metrics-port", "", "PORT (of loopback) or HOST:PORT that serves this tool's own /metrics"),
        _Option("grafana-url", "", "Grafana that gets an annotation for each fault's window"),
        _Option("grafana-token-file", "", "file with the token of a Grafana service account"),
        _Option("explore", -1, "run random schedules of overlapping faults, drawn with this seed"),
        _Option("explore-runs", 20, "most runs of an exploration, those of the reduction counted"),
        _Option("explore-for", "15m", "begin no further run of an exploration after so long"),
        _Option("runs-dir", "", "folder that gets a folder for each run (default: reports/runs)"),
    )


def _scenarios() -> tuple[str, ...]:
    return (*scenario.names(SCENARIOS), "all", "all-variants")


def add_to(parser: argparse.ArgumentParser, scenario_given: str = "") -> None:
    """Add the options; Locust calls this at the start and again for every page of its web UI. The scenario
    that the process was given, be it a path or a list, is one of those that the page offers."""
    for option in _options():
        known = option.name != "scenario" or scenario_given in ("", *option.choices)
        _add(parser, option if known else replace(option, choices=(scenario_given, *option.choices)))
    # Locust's default is every interface; this tool breaks things, so it wants to be asked for that.
    parser.set_defaults(web_host="127.0.0.1")


def _add(parser: Any, option: _Option) -> None:
    flag = f"--chaos-{option.name}"
    env_var = flag.strip("-").replace("-", "_").upper()
    common = {"env_var": env_var, "help": option.help, "include_in_web_ui": option.in_web_form}
    if isinstance(option.default, bool):
        parser.add_argument(flag, action="store_true", default=False, **common)
    elif option.choices:
        # No argparse choices for the scenario: an unknown one deserves our own, longer sentence, and the web
        # form does not enforce them. They are shown as a select all the same.
        action = parser.add_argument(flag, default=option.default or None, metavar="NAME", **common)
        action.choices = _Shown(option.choices)
    else:
        parser.add_argument(flag, type=type(option.default), default=option.default, metavar="…", **common)


class _Shown(tuple[str, ...]):
    """Choices that are shown, and accept anything: what is unknown is refused later, with what exists."""

    __slots__ = ()

    def __contains__(self, item: object) -> bool:
        return True


def read(parsed: argparse.Namespace) -> Options:
    """Return the options of a run; the web form may have changed them since the process started."""
    got = vars(parsed)
    return Options(
        scenario=got["chaos_scenario"] or "",
        pace=got["chaos_pace"] or "quick",
        target=got["chaos_target"] or "",
        target_url=got["chaos_target_url"] or "",
        allow_target=got["chaos_allow_target"] or "",
        gateway_command=got["chaos_gateway_command"] or "",
        gateway_port=int(got["chaos_gateway_port"] or 0),
        start_args=got["chaos_start_args"] or "",
        no_faults=bool(got["chaos_no_faults"]),
        runs_dir=got["chaos_runs_dir"] or str(RUNS),
        seed=int(got["chaos_seed"]),
        pattern=got["chaos_pattern"] or "",
        rate=got["chaos_rate"] or "",
        count=int(got["chaos_count"] or 0),
        duration=got["chaos_duration"] or "",
        alert_name=got["chaos_alert_name"] or "",
        resume=got["chaos_resume"] or "",
        prometheus_url=got["chaos_prometheus_url"] or "",
        notify_url=got["chaos_notify_url"] or "",
        traceparent=bool(got["chaos_traceparent"]),
        jaeger_url=got["chaos_jaeger_url"] or "",
        metrics_port=got["chaos_metrics_port"] or "",
        grafana_url=got["chaos_grafana_url"] or "",
        grafana_token_file=got["chaos_grafana_token_file"] or "",
        explore=int(got["chaos_explore"]),
        explore_runs=int(got["chaos_explore_runs"]),
        explore_for=got["chaos_explore_for"] or "15m",
    )


def ungiven() -> Options:
    """Return the options of a process that was given none."""
    return read(argparse.Namespace(**{f"chaos_{o.name.replace('-', '_')}": o.default for o in _options()}))


def changed_in_form(given: Options, form: Options) -> Options:
    """Return the options the process was given, with those that the web form may change."""
    shown = {option.name.replace("-", "_") for option in _options() if option.in_web_form}
    return replace(given, **{name: getattr(form, name) for name in shown})
