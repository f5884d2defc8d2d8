"""How a page is looked at: in light, dark and narrow; and runs and campaigns of every state to look at."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import browser
import campaigns
import histories
import rendered

from reports import campaign_writing, writing
from reports.history import History

LOOKS = {"light": {"width": 1280}, "dark": {"width": 1280, "dark": True}, "narrow": {"width": 360}}
STATES: dict[str, History] = {
    "pass": histories.history(200),
    "fail": histories.history(200, lost=range(60, 72), rejected_safe=9, rejected_unsafe=3, indeterminate=4),
    "unknown": rendered.UNKNOWN,
    "invalid": rendered.INVALID,
}
CAMPAIGNS = {
    "pass": campaigns.ALL_PASS,
    "fail": campaigns.EVERY,
    "unknown": {"redis-master-failure": campaigns.PASSED, "slow-api": campaigns.UNDECIDED},
    "invalid": {"network-partition": campaigns.INVALID},
}
# A folder that gets the pictures; by default they are thrown away.
PICTURES = os.environ.get("CHAOS_TEST_PICTURES", "")


def kept(root: Path) -> Path:
    """Keep, in a runs folder for each state, a run before it, the run, and a campaign; return the folder."""
    for name, told in STATES.items():
        runs = root / name
        before = replace(told.run, run_id="before", started_at="2026-02-28T12:00:00+00:00")
        histories.keep(replace(told, run=before), runs / "before")
        writing.write_all(histories.keep(told, runs / "run"))
        campaign_writing.write_all(campaigns.keep(runs, CAMPAIGNS[name]))
    return root


def axe() -> str:
    """Return axe-core's script, which `make .venv/.test-ready` puts there."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found, "no axe-core in this environment; make .venv/.test-ready installs it"
    assert found.origin
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def looked_at(tab: browser.Tab, name: str, host: str, *, part: str = "") -> None:
    """Look at the open page in every way: it fits, says nothing on the console, asks nobody else, and axe
    finds nothing serious, with ``part`` in that part of the page."""
    script = axe()
    for look, how in LOOKS.items():
        tab.look(**how)  # type: ignore[arg-type]
        wide = tab.run("document.documentElement.scrollWidth")
        assert wide <= how["width"], f"{name} is {wide} px wide at {how['width']}"
        assert tab.run("[...document.querySelectorAll('canvas')].every((c) => c.width > 0)")
        if PICTURES:
            tab.picture(Path(PICTURES) / f"{name}-{look}.png")
        # Put in by the debugger, as the page's own policy allows no script from elsewhere.
        tab.run(f"{script}; 0")
        found = tab.run(f"axe.run({part or 'document'}, {{resultTypes: ['violations']}})")
        serious = [
            (v["id"], [n["html"][:120] for n in v["nodes"][:3]])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], (name, look)
    assert tab.problems == [], name
    strangers = [r for r in tab.requests if urlsplit(r).netloc != host and not r.startswith("data:")]
    assert strangers == [], name
