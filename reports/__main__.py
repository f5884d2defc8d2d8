"""`python -m reports RUN…`: judge recorded runs and campaigns again, print or write reports, or list them."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from reports import (
    bundle,
    campaign,
    campaign_plan,
    campaign_writing,
    explanation,
    folder,
    log_search,
    printing,
    writing,
)
from reports.campaign_plan import is_campaign
from reports.campaign_presentation import sentence
from reports.folder import FolderError
from reports.history import History
from reports.presentation import plain
from reports.verdict import Verdict, judge

RUNS = Path(__file__).parent / "runs"
LATEST = "latest"
# What could not be read was not judged; it is told apart from every verdict.
UNREADABLE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 passed, 1 failed, 3 undecided or invalid, 2 if it could not be done."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    problem = _wrong(asked)
    if problem:
        print(f"reports: {problem}", file=sys.stderr)
        return UNREADABLE
    if asked.list:
        return _list(asked.runs_dir)
    codes = []
    for name in asked.runs:
        try:
            codes.append(_one(asked, name))
        except (FolderError, OSError) as broken:
            print(f"reports: {plain(str(broken))}", file=sys.stderr)
            codes.append(UNREADABLE)
    return worst(codes)


def worst(codes: Sequence[int]) -> int:
    """Return the exit code of several runs: 2 if one could not be read, else 1 before 3 before 0."""
    return next((code for code in (UNREADABLE, 1, 3) if code in codes), 0)


def find(runs_dir: Path, name: str) -> Path:
    """Return a run's or a campaign's folder by its path, by its id under the runs, or the latest one.

    Raises:
        FolderError: if there is none; the message says how to find those that exist.
    """
    kept, given = runs_dir / name, Path(name)
    if name not in (LATEST, campaign.LATEST) and given.is_dir():
        return given
    if kept.is_dir():
        return kept.resolve()
    if name == LATEST:
        raise FolderError(f"{kept}: there is no latest run; run a scenario, or name a run's folder")
    if name == campaign.LATEST:
        raise FolderError(f"{kept}: there is no latest campaign; run one, or name a campaign's folder")
    raise FolderError(
        f"{name}: is no run's folder, nor a run in {runs_dir}; `python -m reports --list` lists them"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Judge recorded runs and campaigns again. Exit code: 0 passed, 1 failed, 3 undecided or "
        "invalid, 2 if a run could not be read.",
    )
    named = f"a folder or an id of a run or a campaign, {LATEST!r} or {campaign.LATEST!r}"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=named)
    formats = ", ".join(writing.format_names())
    parser.add_argument("--format", metavar="NAME", help=f"how to print it (text): {formats}, {bundle.NAME}")
    parser.add_argument(
        "--compare", metavar="RUN", help="compare with this run, not with the last one of the same plan"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="print into a file")
    parser.add_argument("--write", action="store_true", help="write all formats into the run's folder")
    parser.add_argument(
        "--explain", action="store_true", help="say what would decide each UNKNOWN, as text or json"
    )
    parser.add_argument(
        "--grep", metavar="TEXT", help="print the kept logs' lines that hold a text, an id say"
    )
    parser.add_argument(
        "--log-errors",
        action="store_true",
        help="count errors and warnings in the kept logs, by the faults' times",
    )
    parser.add_argument("--list", action="store_true", help="list the runs, newest first, each judged again")
    parser.add_argument("--runs-dir", type=Path, default=RUNS, metavar="DIR", help="where the runs are")
    return parser


def _wrong(asked: argparse.Namespace) -> str:
    """Return what is wrong with the arguments taken together, and how to mend it; else nothing."""
    if asked.list == bool(asked.runs):
        return f"name a run, {LATEST!r} for the last one, or say --list"
    if asked.write and (asked.format or asked.out):
        return "--write writes every format into the run's folder; leave --format and --out away"
    if asked.explain and (asked.write or asked.format not in (None, "text", "json")):
        return "--explain is told as text or, with --format json, as data; leave the other options away"
    if (asked.grep or asked.log_errors) and (asked.write or asked.format or asked.compare or asked.explain):
        return "--grep and --log-errors only search the logs; leave the other options away"
    if asked.out and len(asked.runs) > 1:
        return "--out holds the report of one run; name one, or use --write"
    if asked.out and not asked.out.parent.is_dir():
        return f"--out {asked.out}: there is no folder {asked.out.parent}; make it first"
    if asked.out and asked.out.is_dir():
        return f"--out {asked.out}: is a folder; name a file in it"
    names = [*writing.format_names(), bundle.NAME]
    if asked.format and asked.format not in names:
        return f"--format: unknown format {asked.format!r}; there are: {', '.join(names)}"
    if asked.compare and (asked.write or asked.list or asked.format == bundle.NAME):
        return "--compare is told in what is printed; leave --write, --list and --format bundle away"
    return ""


def _one(asked: argparse.Namespace, name: str) -> int:
    path = find(asked.runs_dir, name)
    if asked.explain:
        return _explained(asked, path)
    if asked.grep or asked.log_errors:
        return _logs(asked, path)
    if asked.format == bundle.NAME:
        return _bundle(asked, path)
    if is_campaign(path):
        if asked.compare:
            raise FolderError(f"--compare {asked.compare}: compares runs, and {name} is a campaign")
        return _campaign(asked, path)
    if asked.write:
        verdict = writing.write_all(path)
        print(plain(f"{path}: {verdict.sentence}"))
        return verdict.exit_code
    history, verdict = _judged(path)
    other = find(asked.runs_dir, asked.compare) if asked.compare else None
    compared, problem = writing.beside_earlier(path, history, verdict, other)
    if problem:
        print(f"reports: {problem}", file=sys.stderr)
    _print(asked, *writing.rendered(asked.format or "text", history, verdict, compared))
    return verdict.exit_code


def _explained(asked: argparse.Namespace, path: Path) -> int:
    """Explain a run, or each run of a campaign."""
    if is_campaign(path):
        runs = [e.run for e in campaign_plan.read_plan(path).entries if e.run]
        if asked.out and len(runs) != 1:
            raise FolderError(f"{path}: is a campaign of {len(runs)} runs; leave --out away, or name one run")
        return worst([_explained(asked, path.parent / run) for run in runs]) if runs else 3
    history, verdict = _judged(path)
    told = explanation.document if asked.format == "json" else explanation.text
    _print(asked, *writing.attempted("explain", lambda: told(history, verdict)))
    return verdict.exit_code


def _logs(asked: argparse.Namespace, path: Path) -> int:
    """Search the logs of a run; 1 if no line was found."""
    if is_campaign(path):
        raise FolderError(f"{path}: is a campaign; name one of its runs")
    run = folder.description(path)
    if asked.grep:
        lines = list(log_search.grep(path, run, asked.grep))
    else:
        lines = log_search.errors(path, run, writing.read_run(path).injections)
    _print(asked, "".join(f"{plain(line)}\n" for line in lines), "")
    return 0 if lines else 1


def _campaign(asked: argparse.Namespace, path: Path) -> int:
    if asked.write:
        told = campaign_writing.write_all(path)
        print(plain(f"{path}: {sentence(told)}"))
        return told.exit_code
    told = campaign.read(path)
    _print(asked, *campaign_writing.rendered(asked.format or "text", told))
    return told.exit_code


def _bundle(asked: argparse.Namespace, path: Path) -> int:
    out = asked.out or Path(f"{path.resolve().name}.zip")
    packed = bundle.write(path, out)
    left = sum(bool(p.left_out) for p in packed)
    print(plain(f"{out}: {len(packed) - left} files, {sum(p.taken_out for p in packed)} secrets taken out"))
    if left:
        print(f"reports: {left} files were left out; {bundle.MANIFEST} says why", file=sys.stderr)
    return 0


def _print(asked: argparse.Namespace, text: str, problem: str) -> None:
    if asked.out and not problem:
        problem = writing.write_text(asked.out, text)
    elif not problem:
        problem = printing.out(text)
    if problem:
        # Rendering never changes a verdict, so its exit code stands.
        print(f"reports: {problem}", file=sys.stderr)


def _judged(path: Path) -> tuple[History, Verdict]:
    history = writing.read_run(path)
    return history, judge(history)


def _list(runs_dir: Path) -> int:
    rows = []
    for path in runs_dir.iterdir() if runs_dir.is_dir() else ():
        if path.is_symlink() or not path.is_dir():
            continue
        try:
            rows.append(_listed(path))
        except (FolderError, OSError) as broken:
            rows.append(("", path.name, "", f"not to be read: {broken}"))
    if not rows:
        print(f"no runs in {runs_dir}; run a scenario first")
    width = max((len(row[1]) for row in rows), default=0)
    for started_at, run_id, scenario, state in sorted(rows, reverse=True):
        print(plain(f"{started_at or '-':25}  {run_id:{width}}  {scenario or '-':28}  {state}"))
    return 0


def _listed(path: Path) -> tuple[str, str, str, str]:
    if is_campaign(path):
        told = campaign.read(path)
        return told.started_at, path.name, f"campaign of {len(told.entries)}", told.state.value
    history, verdict = _judged(path)
    return history.run.started_at, path.name, history.run.scenario, verdict.state.value


if __name__ == "__main__":
    sys.exit(main())
