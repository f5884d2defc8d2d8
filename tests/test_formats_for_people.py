"""The Markdown comment and the HTML page: all that is needed, nothing foreign comes alive."""

from __future__ import annotations

import json
import re

import histories
import pytest
from rendered import (
    ALL,
    FAIL,
    FEW,
    Page,
    render,
)

from reports.history import Asked
from reports.verdict import judge


def test_markdown_lists_every_lost_id() -> None:
    """Up to ten in sight, more in a fold."""
    assert "Lost: `k3x9-0000003`, `k3x9-0000004`" in render("markdown", FEW)
    folded = render("markdown", FAIL)
    assert "<details><summary>All 12 lost alerts</summary>" in folded
    assert [n for n in range(16) if f"`k3x9-{n:07d}`" in folded] == list(range(2, 14))


def test_markdown_stays_a_comment() -> None:
    """GitHub takes 65,536 characters; ids that do not fit are counted, not dropped in silence."""
    told = histories.history(6000, lost=range(6000))
    text = render("markdown", told)
    assert len(text) < 65_536
    listed = len(re.findall(r"`k3x9-\d{7}`", text))
    assert listed > 3000
    assert f"and {6000 - listed:,} more that do not fit a comment: see verdict.json" in text


def test_markdown_escapes() -> None:
    """No foreign text breaks a table, makes a tag, a link, or calls on a person."""
    foreign = "a|b\nc <img src=x> [l](http://x.invalid) `q` @admin *x* _y_ #1"
    told = histories.history(
        injections=(histories.injection(bit=False, error=foreign, evidence=(foreign,)),),
        run_changes={"title": "# " + foreign},
    )
    text = render("markdown", told)
    shown = "a\\|b c &lt;img src=x&gt; \\[l\\](http://x.invalid) \\`q\\` @\u200badmin \\*x\\* \\_y\\_ #1"
    assert f"redis-down: {shown}" in text
    assert "\n\\# a\\|b" in text
    assert "<img" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert widths == {4, 6}  # The facts have three columns, criteria and faults five.


@pytest.mark.parametrize("name", ALL)
def test_html_loads_nothing(name: str) -> None:
    """One file, read offline: no reference leaves it, and its policy forbids any."""
    text = render("html", ALL[name])
    assert Page(text).links == ["data:,"]
    assert not re.search(r"url\(\s*['\"]?(?!data:)|@import", text)
    assert "default-src 'none'" in text


def test_html_says_it_without_javascript() -> None:
    """The sentence, the tiles, the criteria and the lost ids are text of the page."""
    words = " ".join(Page(render("html", FAIL)).words)
    assert judge(FAIL).sentence in words
    for wanted in ("12 of 16", "in [0.15 s, 0.41 s]", "of 30 s allowed", "5 of 5 hold"):
        assert wanted in words
    assert [n for n in range(16) if f"k3x9-{n:07d}" in words] == list(range(2, 14))
    assert "16 acked = 4 created + 0 deduplicated + 0 aggregated + 0 resolved + 12 lost" in words
    assert histories.run().command in words


def test_html_of_many_alerts_stays_below_two_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how it was thinned out; every lost alert is in a tick of the chart. What the page holds is
    bounded by numbers, whatever the run's length; it was tried with a million alerts, 300,000 lost."""
    monkeypatch.setattr("reports.chart.MOST_LOST", 2_000)
    told = histories.history(40_000, lost=range(12_000), promises=(Asked("zero_loss", {}),))

    text = render("html", told)

    assert len(text.encode()) < 2_000_000
    assert "and 2,000 more: see verdict.json" in text
    assert re.search(r"Drawn are [\d,]+ of 40,000 latencies: of every [\d.e-]+ s and outcome", text)
    assert re.search(r"Lost alerts due in the same [\d.e-]+ s share a tick", text)
    found = re.search(r'id="chart-data">(.*?)</script>', text)
    assert found
    data = json.loads(found[1])
    assert len(data["lost_ms"]) <= 2_000
    assert sum(data["lost_counts"]) == 12_000
    assert sum(data["rates"]["lost"]) * data["bucket_s"] == 12_000
