"""`python -m chaos_hooks plan|doctor|sweep`: look before you leap, and tidy up after; no alert is sent."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from chaos_hooks import doctor, guarding, planning, preflight, preview, sweeping
from chaos_hooks.campaign import Entry
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import RecordError, SetupError
from chaos_hooks.options import RUNS, TARGETS, Options
from shapes import target
from shapes.document import DocumentError
from shapes.target import Endpoints, Target


def main(words: list[str] | None = None) -> int:
    """Return 0 when all is well, 1 when something is not, 2 when it could not be asked."""
    given = _parser().parse_args(words)
    asked = _options(given)
    try:
        if given.verb == "sweep":
            against = planning.target_of(asked.target) if asked.target else None
            return _print(*sweeping.sweep(Path(asked.runs_dir), against, RunClock()))
        entry = planning.entries(asked, asked)[0]
        ends = _endpoints(entry.target, asked)
        if given.verb == "plan":
            return _print(*preview.plan(entry, ends, RunClock()))
        return _print(*doctor.examine(entry, ends))
    except (SetupError, DocumentError, RecordError) as problem:
        print(f"alertstorm: {problem}", file=sys.stderr)
        return 2


def _endpoints(against: Target, asked: Options) -> Endpoints:
    """Return where the target is; what a start command would announce is not there yet."""
    if against.start and not asked.target_url:
        return against.endpoints
    found = preflight.complete(against.endpoints, against, asked)
    preflight.guard(found, asked, against.allow)
    guarding.check(against, found)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos_hooks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, what in (
        ("plan", "timeline, exact objects, and the targets that selectors match now; nothing is applied"),
        ("doctor", "what is reachable, which permissions lack, which criteria could not be decided"),
        ("sweep", "heal what earlier runs left behind"),
    ):
        one = verbs.add_parser(verb, help=what, description=what)
        if verb != "sweep":
            one.add_argument("scenario", help="a name in scenarios/, or a path with a /")
            one.add_argument("--pace", default="quick")
            one.add_argument("--target-url", default="", help="the Gateway's base URL")
            one.add_argument("--allow-target", default="", help="a host that is not loopback")
        one.add_argument(
            "--target", default="", help=f"{', '.join(target.names(TARGETS))}, or a path with a /"
        )
        one.add_argument("--runs-dir", default=str(RUNS))
    return parser


def _options(given: argparse.Namespace) -> Options:
    plain = Options(
        scenario="", pace="quick", target="", target_url="", allow_target="", gateway_command="",
        gateway_port=0, start_args="", no_faults=False, runs_dir="", seed=-1, pattern="", rate="",
        count=0, duration="", alert_name="",
    )  # fmt: skip
    return replace(plain, **{key: value for key, value in vars(given).items() if key != "verb"})


def _print(lines: list[str], good: bool) -> int:
    print("\n".join(lines))
    return 0 if good else 1


__all__ = ["Entry", "main"]

if __name__ == "__main__":
    sys.exit(main())
