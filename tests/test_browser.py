"""The pages in a real browser: for each state, light, dark and narrow; no error, no request to elsewhere, and
no serious finding of axe-core."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import browser
import campaigns
import looking
import pytest
from looking import PICTURES, STATES, looked_at

pytestmark = pytest.mark.skipif(not browser.BINARY, reason=browser.MISSING)


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return looking.kept(tmp_path_factory.mktemp("pages"))


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
