"""The pages in a real browser: for each state, light, dark and narrow; no error, no request to elsewhere, and
no serious finding of axe-core."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import browser
import campaigns
import histories
import pytest
import rendered

from reports import campaign_writing, writing
from reports.history import History

pytestmark = pytest.mark.skipif(not browser.BINARY, reason=browser.MISSING)

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


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder for each state: a run before it, the run, and a campaign."""
    root = tmp_path_factory.mktemp("pages")
    for name, told in STATES.items():
        runs = root / name
        before = replace(told.run, run_id="before", started_at="2026-02-28T12:00:00+00:00")
        histories.keep(replace(told, run=before), runs / "before")
        writing.write_all(histories.keep(told, runs / "run"))
        campaign_writing.write_all(campaigns.keep(runs, CAMPAIGNS[name]))
    return root


def axe() -> str:
    """Return axe-core's script, which the package brings along."""
    found = importlib.util.find_spec("axe_core_python")
    assert found
    assert found.origin
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def looked_at(tab: browser.Tab, name: str, host: str) -> None:
    """Look at the open page in every way: it fits, says nothing on the console, asks nobody else, and axe
    finds nothing serious."""
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
        found = tab.run("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (v["id"], [n["html"][:120] for n in v["nodes"][:3]])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], (name, look)
    assert tab.problems == [], name
    strangers = [r for r in tab.requests if urlsplit(r).netloc != host and not r.startswith("data:")]
    assert strangers == [], name


@pytest.mark.parametrize("state", STATES)
def test_the_page_of_a_run(tab: browser.Tab, pages: Path, state: str) -> None:
    """And the chart is drawn: not one colour alone is on its canvas."""
    tab.open((pages / state / "run/report.html").as_uri())
    looked_at(tab, f"run-{state}", "")
    colours = tab.run(
        "(() => { const c = document.querySelector('#chart canvas'), d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data, s = new Set();"
        " for (let i = 0; i < d.length; i += 4) s.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);"
        " return s.size; })()"
    )
    assert colours > 20


@pytest.mark.parametrize("state", STATES)
def test_the_page_of_a_campaign(tab: browser.Tab, pages: Path, state: str) -> None:
    """It is drawn without a script."""
    tab.open((pages / state / campaigns.ID / "report.html").as_uri())
    looked_at(tab, f"campaign-{state}", "")


@pytest.mark.parametrize("name", ["run", campaigns.ID])
def test_a_page_fits_on_paper(tab: browser.Tab, pages: Path, tmp_path: Path, name: str) -> None:
    """A4, and no more than a few sheets of it."""
    tab.open((pages / "fail" / name / "report.html").as_uri())
    tab.look(width=1280)
    path = Path(PICTURES or tmp_path) / f"{name}.pdf"
    tab.pdf(path)
    data = path.read_bytes()
    boxes = {tuple(map(float, b.split())) for b in re.findall(rb"/MediaBox\s*\[([^\]]*)\]", data)}
    sides = {tuple(sorted(round(side) for side in box[2:])) for box in boxes}
    assert sides == {(595, 842)} or sides == {(596, 842)}
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 8
