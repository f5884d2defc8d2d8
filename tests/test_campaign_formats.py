"""Campaign reports: all formats say the same, as schema and importers want it, whatever the record holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import campaigns
import histories
import jsonschema
import pytest
from campaigns import MANY, render
from rendered import VERDICTS, Page

from reports import campaign_writing, writing
from reports.campaign import Campaign, CampaignEntry, EntryState, PlannedEntry
from reports.campaign_presentation import sentence
from reports.chart import chart
from reports.sparkline import sparkline
from reports.verdict import judge

SCHEMA = json.loads(
    (Path(writing.__file__).parent / "schema" / "campaign-v1.schema.json").read_text(encoding="utf-8")
)
HEADINGS = [
    "Summary",
    "Per-scenario results",
    "Scenario x criterion grid",
    "Key findings",
    "Confidence",
    "Recommendations",
    "How to reproduce",
]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Campaign]:
    """Return a campaign of each kind."""
    return {name: campaigns.of(tmp_path_factory.mktemp("runs"), told) for name, told in MANY.items()}


@pytest.fixture
def hostile(tmp_path: Path) -> Campaign:
    """Return a campaign whose every text tries to come alive."""
    text = "a|b\n</title></script><img src=x> `q` @admin \x1b[2J\u202e ]]> {{ 7*7 }}"
    told = campaigns.told(
        "a",
        lost=(1,),
        rejected_unsafe=1,
        injections=(histories.injection(name=text, bit=False, error=text, evidence=(text,)),),
        damage=(text,),
    )
    skipped = PlannedEntry(text, text, state=EntryState.SKIPPED, reason=text)
    outside = PlannedEntry("javascript:", run='"><script>alert(1)</script>', reason=text)
    got = campaigns.of(tmp_path, {"a": told, "b": skipped, "c": outside})
    return Campaign(text, text, text, text, "completed", got.entries)


def document(campaign: Campaign) -> Any:
    return json.loads(render("json", campaign), parse_constant=pytest.fail)


def suites(campaign: Campaign) -> list[ET.Element]:
    return ET.fromstring(render("junit", campaign).encode()).findall("testsuite")


def test_campaigns_have_the_formats_of_runs() -> None:
    """--format takes the same names for both, but for the ledger, which is a run's."""
    assert campaign_writing.format_names() == VERDICTS


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("format_name", campaign_writing.format_names())
def test_a_report_is_a_function_of_its_campaign(
    kept: dict[str, Campaign], format_name: str, name: str
) -> None:
    """Rendered twice, the same bytes; and each scenario stands in it."""
    once = render(format_name, kept[name])
    assert once == render(format_name, kept[name])
    assert all(scenario in once for scenario in MANY[name])


@pytest.mark.parametrize("name", MANY)
def test_json_is_as_its_schema_says(kept: dict[str, Campaign], name: str) -> None:
    """Valid against the published schema, and the same as the campaign."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    got = document(kept[name])
    jsonschema.validate(got, SCHEMA, jsonschema.Draft202012Validator)
    assert (got["exit_code"], got["sentence"]) == (kept[name].exit_code, sentence(kept[name]))
    assert [e["state"] for e in got["entries"]] == [e.state for e in kept[name].entries]


def test_the_schema_forbids_what_it_does_not_name(kept: dict[str, Campaign]) -> None:
    """At the top and below; and a finding is that of a run, and whether it counts."""
    got = document(kept["every"])
    for where in (got, got["counts"], got["loss"], got["entries"][0], got["entries"][0]["findings"][0]):
        where["surprise"] = 1
        with pytest.raises(jsonschema.ValidationError, match="surprise"):
            jsonschema.validate(got, SCHEMA)
        del where["surprise"]
    of_a_run = json.loads(
        Path(writing.__file__).with_name("schema").joinpath("verdict-v1.schema.json").read_text()
    )
    finding = SCHEMA["$defs"]["finding"]["properties"]
    assert {k: v for k, v in finding.items() if k != "counts"} == of_a_run["$defs"]["finding"]["properties"]


def test_json_says_null_of_a_loss_that_does_not_count(kept: dict[str, Campaign]) -> None:
    """Not zero: an unread truth or an invalid run lost an unknown number."""
    losses = {e["name"]: e["loss"] for e in document(kept["every"])["entries"]}
    assert losses["redis-oom"] == {"lost": 7, "acked": 40, "bound": None, "not_counted_because": ""}
    assert (losses["network-partition"]["lost"], losses["disk-full"]["acked"]) == (None, None)


def test_junit_has_a_suite_a_scenario(kept: dict[str, Campaign]) -> None:
    """A conviction is a failure, what is undecided or was not run an error, what was skipped skipped."""
    counts = [
        tuple(
            (s.get("name") or "").removeprefix("alertstorm.") if k == "name" else int(s.get(k) or 0)
            for k in ("name", "tests", "failures", "errors", "skipped")
        )
        for s in suites(kept["every"])
    ]
    assert counts == [
        ("redis-master-failure", 12, 0, 0, 0),
        ("redis-oom", 12, 2, 0, 0),
        ("slow-api", 12, 0, 1, 0),
        ("network-partition", 12, 0, 1, 0),
        ("breaker-close", 5, 0, 0, 0),
        ("disk-full", 1, 0, 1, 0),
        ("node-loss", 1, 0, 0, 1),
        ("alert-storm", 1, 0, 1, 0),
    ]
    root = ET.fromstring(render("junit", kept["every"]).encode())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("56", "2", "4")
    for suite in root:
        assert suite[0].tag == "properties"
        assert suite[-1].tag == "system-out"


@pytest.mark.parametrize("name", MANY)
def test_junit_is_green_only_if_the_campaign_passed(kept: dict[str, Campaign], name: str) -> None:
    """All skipped, nothing at all: an importer would show that green."""
    bad = sum(int(s.get(k) or 0) for s in suites(kept[name]) for k in ("failures", "errors"))
    assert bool(bad) == bool(kept[name].exit_code)
    names = [s.get("name") for s in suites(kept[name])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", MANY)
def test_the_pages_have_the_headings_of_the_template(kept: dict[str, Campaign], name: str) -> None:
    """In its order, in Markdown and in HTML, also if there is nothing to say below them."""
    assert re.findall(r"^### (.*)$", render("markdown", kept[name]), re.MULTILINE) == HEADINGS
    assert re.findall(r"<h2>(.*)</h2>", render("html", kept[name])) == HEADINGS


def test_the_tables_of_markdown_are_whole(kept: dict[str, Campaign], hostile: Campaign) -> None:
    """Every row of a table has as many cells as its head."""
    for campaign in (*kept.values(), hostile):
        for block in re.split(r"\n\n", render("markdown", campaign)):
            rows = [line for line in block.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_markdown_stays_a_comment(kept: dict[str, Campaign]) -> None:
    """Of many scenarios first the criteria that passed are left out, then the end; it says so."""
    entries = kept["every"].entries
    brief = render("markdown", Campaign("c", "", "", "", "completed", entries * 8))
    assert "Other criteria that passed are left out to fit a comment" in brief
    assert "### How to reproduce" in brief
    cut = render("markdown", Campaign("c", "", "", "", "completed", entries * 50))
    assert cut.endswith("The rest does not fit a comment: see report.html\n")
    assert max(len(brief), len(cut)) < 65_536


@pytest.mark.parametrize("name", MANY)
def test_html_loads_and_runs_nothing(kept: dict[str, Campaign], name: str) -> None:
    """One file, read offline, without a script; its links are to the pages of its runs."""
    page = Page(render("html", kept[name]))
    judged = [e for e in kept[name].entries if e.judged]
    assert page.links == ["data:,", *(f"../{e.run_id}/report.html" for e in judged)]
    assert "script" not in page.tags
    assert not re.search(r"url\((?!#hatch)|@import|style=", render("html", kept[name]))
    assert "default-src 'none'" in render("html", kept[name])


def test_html_can_be_read_without_colour(kept: dict[str, Campaign]) -> None:
    """Each state is a word; the picture says in words what it shows."""
    text = render("html", kept["every"])
    words = campaigns.without_tags(text.partition("</style>")[2])
    for wanted in (
        sentence(kept["every"]),
        *EntryState,
        "(PASS)",
        "0 of 875 acknowledged alerts; at most 0.35% at 95 %",
        "in [0.15 s, 0.41 s] of 5 s allowed",
        "up to 7 alerts/s over 10 s; redis-down on 2.0 to 5.0 s; 7 not acknowledged; 7 lost",
    ):
        assert wanted in words
    assert text.count('class="spark"') == text.count('role="img"') == 5


def test_no_text_comes_alive(hostile: Campaign) -> None:
    """Not in HTML, XML, Markdown or on a terminal; and no link leaves the folder of the runs."""
    page = render("html", hostile)
    assert {"script", "img"}.isdisjoint(Page(page).tags)
    assert Page(page).links == ["data:,", "../a-run/report.html"]
    assert "49" not in re.findall(r"<h1>.*?</h1>", page)[0]
    ET.fromstring(render("junit", hostile).encode())
    assert "<img" not in render("markdown", hostile)
    assert "@admin" not in render("markdown", hostile)
    assert all(line.isprintable() for line in render("text", hostile).split("\n"))
    jsonschema.validate(document(hostile), SCHEMA)


def test_a_run_without_a_page_has_no_dead_link(tmp_path: Path) -> None:
    """The link stands only where it leads somewhere."""
    folder = campaigns.keep(tmp_path, campaigns.ALL_PASS)
    (tmp_path / "slow-api-run" / "report.html").unlink()
    told = campaign_writing.write_all(folder)
    assert Page(render("html", told)).links == ["data:,", "../redis-master-failure-run/report.html"]
    assert "run slow-api-run, no page beside it" in render("html", told)


def test_the_sparkline() -> None:
    """Steps of the rate, what was not acknowledged above it, the fault's band, each lost alert's place."""
    told = histories.history(20, lost=(2, 3), rejected_safe=5)
    got = sparkline(chart(told, judge(told)))
    assert got is not None
    assert got.bands == ((40.0, 61.0),)
    assert got.lost == (20.0, 30.0)
    assert got.words == ("up to 4 alerts/s over 10 s; redis-down on 2.0 to 5.0 s; 5 not acknowledged; 2 lost")
    for path in (got.acked, got.others):
        assert re.fullmatch(r"M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)+Z", path)
        assert all(0 <= float(y) <= 36 for y in re.findall(r"[\d.]+ ([\d.]+)", path))


def test_a_run_without_a_picture_keeps_its_row(kept: dict[str, Campaign]) -> None:
    """A chart that could not be made changes no verdict, and the page says so."""
    entries: list[CampaignEntry] = [
        replace(e, judged=replace(e.judged, drawn=None)) if e.judged else e for e in kept["all pass"].entries
    ]
    campaign = replace(kept["all pass"], entries=tuple(entries))
    assert campaign.exit_code == 0
    assert "no picture could be made of this run" in render("html", campaign)


def test_a_long_runs_picture_is_drawn_whole(tmp_path: Path) -> None:
    """A path is no text that may be cut short: every part of it is a command with its numbers."""
    seconds = histories.run().planned + 300
    attempts = tuple(histories.attempt(n, due_s=float(n) / 3) for n in range(seconds))
    long = replace(campaigns.told("slow-api"), attempts=attempts)
    long = replace(long, run=replace(long.run, planned=seconds))
    page = render("html", campaigns.of(tmp_path, {"slow-api": long}))

    paths = re.findall(r'<path class="acked" d="([^"]*)"', page)
    assert max(map(len, paths)) > 2_000
    assert all(re.fullmatch(r"[\d.]+ [\d.]+", part) for d in paths for part in re.split("[MLZ]", d) if part)
