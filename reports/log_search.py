"""The kept logs searched: lines that hold a text, and what was logged as an error around each fault."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import logs
from reports.history import Injection, Run
from reports.log import LogLine

_MOST_SHAPES = 5
_AFTER_S = 10.0
_LEVELS = {"error", "err", "fatal", "panic", "dpanic", "critical", "crit", "alert", "emergency"}
_LESSER = {"warning", "warn"}
# As logfmt, as a word in capitals, or as klog begins a line.
_TEXT_LEVEL = re.compile(
    r'\blevel="?(?:error|fatal|panic|critical)\b|\b(?:ERROR|FATAL|PANIC|CRITICAL)\b|^[EF]\d{4} \d\d:'
    r'|(?P<calm>\blevel="?(?:info|debug)\b|\b(?:INFO|DEBUG|TRACE)\b)'
    r'|(?P<lesser>\blevel="?warn(?:ing)?\b|\bWARN(?:ING)?\b|^W\d{4} \d\d:)'
)
_LEVEL_KEYS, _MESSAGE_KEYS = ("level", "lvl", "severity"), ("msg", "message", "error")
_VARIES = re.compile(r"\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+", re.I)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of the run by what was on in it."""

    name: str
    begin_s: float
    end_s: float


def every_line(folder: Path, run: Run) -> Iterator[tuple[str, LogLine]]:
    """Yield each line of each kept log, by component, in the files' order."""
    for path in sorted((folder / "logs").glob("*.log")):
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                yield path.stem, logs.line(text, run.zero_unix_s)


def grep(folder: Path, run: Run, text: str) -> Iterator[str]:
    """Yield the lines that hold a text, in whatever case, with their component and time in the run."""
    wanted = text.lower()
    for component, line in every_line(folder, run):
        if wanted in line.text.lower():
            yield f"{component}  {_at(line)}  {line.text}"


def errors(folder: Path, run: Run, injections: Iterable[Injection]) -> list[str]:
    """Return, for each component, how many lines of level warning or worse came in and after each fault, and
    at other times, and the commonest of them, their numbers and ids left out. An empty log is told, too."""
    stretches = _stretches(run, injections)
    found: dict[str, dict[str, Counter[str]]] = {}
    lines: Counter[str] = Counter()
    for component, line in every_line(folder, run):
        lines[component] += 1
        shape = error_of(line.text)
        where = found.setdefault(component, {})
        if shape:
            where.setdefault(_stretch_of(line, stretches), Counter())[shape] += 1
    told = []
    for path in sorted((folder / "logs").glob("*.log")):
        count = sum(sum(shapes.values()) for shapes in found.get(path.stem, {}).values())
        told.append(f"{path.stem}: {count:,} of {lines[path.stem]:,} lines are warnings or errors")
        for name, shapes in found.get(path.stem, {}).items():
            told.append(f"  {name}: {sum(shapes.values()):,}")
            told += [f"    {count:,} times: {shape}" for shape, count in shapes.most_common(_MOST_SHAPES)]
            if len(shapes) > _MOST_SHAPES:
                told.append(f"    and {len(shapes) - _MOST_SHAPES} others")
    return told or ["no log was kept"]


def error_of(text: str) -> str:
    """Return what a line of level warning, error or worse says, without numbers and ids, a warning named as
    such; nothing of other lines."""
    fields = _fields(text)
    if fields is not None:
        level = str(next((fields[key] for key in _LEVEL_KEYS if key in fields), "")).lower()
        said = " ".join(str(fields[key]) for key in _MESSAGE_KEYS if fields.get(key)) or text
        return _told(said, level in _LESSER) if level in _LEVELS | _LESSER else ""
    found = _TEXT_LEVEL.search(text)
    return _told(text, bool(found["lesser"])) if found and not found["calm"] else ""


def _told(said: str, warning: bool) -> str:
    return f"{'warning: ' if warning else ''}{_VARIES.sub('*', said)[:160]}"


def _fields(text: str) -> dict[str, Any] | None:
    """Return the fields of a line of JSON, also behind a time and a pod's name."""
    begin = text.find("{")
    if begin < 0:
        return None
    try:
        found = json.loads(text[begin:])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _stretches(run: Run, injections: Iterable[Injection]) -> list[Stretch]:
    found = []
    for each in sorted(injections, key=lambda i: i.asked_at_s):
        if each.began is None:
            continue
        end_s = each.ended.latest_s if each.ended else max((p.end_s for p in run.phases), default=0.0)
        found.append(Stretch(f"while {each.name} was on", each.began.earliest_s, end_s))
        found.append(Stretch(f"in the {_AFTER_S:g} s after {each.name}", end_s, end_s + _AFTER_S))
    return found


def _stretch_of(line: LogLine, stretches: list[Stretch]) -> str:
    if line.at_s is None:
        return "at a time that the line does not tell"
    named = (s.name for s in stretches if s.begin_s <= line.at_s <= s.end_s)
    return next(named, "at other times")


def _at(line: LogLine) -> str:
    return "        ?" if line.at_s is None else f"{line.at_s:+9.3f} s"
