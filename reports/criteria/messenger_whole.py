"""The Alertmanager in between stood from the first alert on, held all of them, and owed none at the end.

Asked of every run whose alerts go through one. It convicts nobody: what Alertmanager did not deliver is no
fault of the Gateway's.
"""

from __future__ import annotations

from reports import messenger
from reports.finding import Finding, passed, unknown
from reports.history import History

_WANTED = "one and the same Alertmanager, which delivered all it took"


def check(history: History) -> Finding:
    """Read what Alertmanager's own metrics and its API said."""
    looks = [o for o in history.samples(messenger.PROBE) if o.ok]
    if doubt := messenger.doubt(history):
        return unknown(_WANTED, doubt, len(looks), messenger.MEND)
    if not looks:
        return unknown(_WANTED, "no Alertmanager stands in between", 0, "write 'through: alertmanager'")
    told = messenger.figures(looks[0], looks[-1])
    got = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in told.items())
    return passed(_WANTED, got, len(looks), told)
