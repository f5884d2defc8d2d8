"""Reports on disk: a run's folder is read and judged, and every format written beside the record."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from reports import comparable, comparison, formats
from reports import folder as run_folder
from reports.comparison import Comparison, NoComparison
from reports.history import History
from reports.presentation import plain
from reports.verdict import Verdict, judge

Beside = Comparison | NoComparison


class UnknownFormatError(LookupError):
    """A report format that does not exist; the message lists those that do."""


def format_names() -> list[str]:
    """Return the names of all formats: the files in `reports/formats/`."""
    return sorted(module.name for module in pkgutil.iter_modules(formats.__path__))


def load_format(name: str) -> ModuleType:
    """Return a format's module.

    Raises:
        UnknownFormatError: naming those that exist.
    """
    if name not in format_names():
        raise UnknownFormatError(f"unknown format {name!r}; there are: {', '.join(format_names())}")
    return importlib.import_module(f"reports.formats.{name}")


def read_run(folder: Path) -> History:
    """Return a run's history.

    Raises:
        FolderError: if the folder holds no run, or a record that cannot be understood.
    """
    try:
        return run_folder.read(folder)
    except run_folder.FolderError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as problem:
        what = f"its record cannot be understood ({type(problem).__name__}: {problem})"
        mend = "it was changed by hand, or written by another version; use that one"
        raise run_folder.FolderError(f"{folder}: {what}; {mend}") from problem


def write_all(folder: Path) -> Verdict:
    """Read a run, judge it, and write every format that has a file of its own into the run's folder.

    Rendering never changes a verdict: a format that fails is one line on stderr, and its old report, which
    may say otherwise, is taken away.

    Raises:
        FolderError: as `read_run` does.
    """
    history = read_run(folder)
    verdict = judge(history)
    compared, problem = beside_earlier(folder, history, verdict)
    if problem:
        print(problem, file=sys.stderr)
    for name in format_names():
        problem = _write_one(folder, name, history, verdict, compared)
        if problem:
            print(problem, file=sys.stderr)
    return verdict


def rendered(
    name: str, history: History, verdict: Verdict, compared: Beside | None = None
) -> tuple[str, str]:
    """Return a report and no problem, or no report and the problem as one line."""
    return attempted(name, lambda: _render(load_format(name), history, verdict, compared))


def attempted(name: str, make: Callable[[], str]) -> tuple[str, str]:
    """Return what ``make`` makes and no problem, or nothing and the problem as one line."""
    try:
        return make(), ""
    except Exception as problem:  # noqa: BLE001 - a report must never cost the verdict, whatever breaks in it
        return "", _not_made(f"report {name}", problem)


def beside_earlier(
    folder: Path, history: History, verdict: Verdict, other: Path | None = None
) -> tuple[Beside | None, str]:
    """Return the run beside another one (the last before it that it may be compared with, unless ``other`` is
    named), or why there is none; and no problem, or None and the problem as one line."""
    try:
        path, why = (other, "") if other else comparable.earlier(folder)
        if path is None:
            return NoComparison(why), ""
        before = read_run(path)
        then = comparison.figures(before, judge(before))
        return comparison.compare(then, comparison.figures(history, verdict)), ""
    except Exception as problem:  # noqa: BLE001 - nor must what is only told beside it
        return None, _not_made("comparison", problem)


def keep(path: Path, text: str, problem: str) -> str:
    """Write a report, or, if it was not made or cannot be written, take the old one away; return no problem,
    or the problem as one line."""
    problem = problem or write_text(path, text)
    return f"{problem}{_without_old(path)}" if problem else ""


def write_text(path: Path, text: str) -> str:
    """Write a report whole or not at all; return no problem, or the problem as one line."""
    beside = path.with_name(f"{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except (OSError, UnicodeError) as problem:
        return plain(f"{path}: not written: {problem}; free the disk, or mend its permissions")
    return ""


def stored_sentence(folder: Path) -> str:
    """Return the verdict's sentence as it was written, for lists: judging all again would take long."""
    try:
        return str(json.loads((folder / "verdict.json").read_text(encoding="utf-8"))["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return "no verdict: the run did not get that far"


def _render(module: ModuleType, history: History, verdict: Verdict, compared: Beside | None) -> str:
    if "compared" in inspect.signature(module.render).parameters:
        return str(module.render(history, verdict, compared=compared))
    return str(module.render(history, verdict))


def _not_made(what: str, problem: Exception) -> str:
    return plain(f"{what}: not made: {type(problem).__name__}: {problem}")


def _write_one(folder: Path, name: str, history: History, verdict: Verdict, compared: Beside | None) -> str:
    # A format that cannot even be imported is no different from one that raises.
    file, problem = attempted(name, lambda: str(getattr(load_format(name), "FILE", "")))
    if not file:
        return problem
    return keep(folder / file, *rendered(name, history, verdict, compared))


def _without_old(path: Path) -> str:
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        return plain(f"; and an old report stays there ({problem}): do not believe it")
    return ""
