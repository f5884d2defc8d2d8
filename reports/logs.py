"""The logs of a run's components, as far as its criteria ask for them, placed on the run's time axis."""

from __future__ import annotations

import itertools
import json
import math
import re
from datetime import datetime
from pathlib import Path

from reports.history import Run
from reports.log import Log, LogLine

CRITERION = "logs_alive"
COMPONENT = "gateway"
MOST_LINES = 100_000
MOST_CHARACTERS = 500
# A time without a zone could be meant anywhere, so it is not one.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_KEYS = ("time", "ts", "timestamp")


def read(folder: Path, run: Run) -> tuple[Log, ...]:
    """Return the logs of the components that `logs_alive` is asked of, and the Gateway's, for the stories of
    offenders; a file that is missing is left out."""
    asked = {str(p.options.get("component", COMPONENT)) for p in run.promises if p.criterion == CRITERION}
    named = asked | {COMPONENT}
    paths = {name: folder / f"{name}.log" for name in sorted(named) if Path(name).name == name}
    return tuple(_read(name, path, run.zero_unix_s) for name, path in paths.items() if path.is_file())


def line(text: str, zero_unix_s: float | None) -> LogLine:
    """Return a line with its time in seconds since the run's second 0.

    The time is a JSON object's ``time``, ``ts`` or ``timestamp`` (RFC 3339, or seconds since 1970), else the
    first RFC 3339 time in the text.
    """
    clipped = text.rstrip("\r\n")[:MOST_CHARACTERS]
    at_unix_s = None if zero_unix_s is None else _unix_s(text)
    return LogLine(None if at_unix_s is None or zero_unix_s is None else at_unix_s - zero_unix_s, clipped)


def _read(name: str, path: Path, zero_unix_s: float | None) -> Log:
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = tuple(line(text, zero_unix_s) for text in itertools.islice(file, MOST_LINES))
        whole = next(file, None) is None
    return Log(name, lines, whole)


def _unix_s(text: str) -> float | None:
    value: object = None
    if text.startswith("{"):
        try:
            fields = json.loads(text)
            value = next((fields[key] for key in _KEYS if key in fields), None)
        except (ValueError, RecursionError):
            pass  # No JSON after all: the time may still stand in the text.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    found = _TIME.search(value if isinstance(value, str) else text)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[0].replace(",", ".")).timestamp()
    except ValueError:
        return None
