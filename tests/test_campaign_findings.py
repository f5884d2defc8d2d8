"""What is said of a campaign follows from its findings: the pooled loss, the grid, key findings, advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import campaigns
import histories
import pytest
from campaigns import MANY

from reports.campaign_findings import Loss, close_calls, key_findings, losses, pooled
from reports.campaign_presentation import grid
from reports.history import Asked
from reports.recommendations import ADVICE, recommendations
from reports.verdict import ASSUMPTIONS, criterion_names


def kinds(found: list[Any]) -> list[str]:
    return [each.kind for each in found]


def test_the_loss_is_pooled_over_what_counts(tmp_path: Path) -> None:
    """1 - 0.05^(1/n) over the sum of acknowledged alerts; an invalid run adds nothing to n."""
    got = pooled(campaigns.of(tmp_path / "pass", campaigns.ALL_PASS))
    assert (got.lost, got.acked, got.bound) == (0, 915, pytest.approx(1 - 0.05 ** (1 / 915)))
    got = pooled(campaigns.of(tmp_path / "invalid", MANY["one invalid"]))
    assert (got.acked, got.bound) == (875, pytest.approx(1 - 0.05 ** (1 / 875)))
    got = pooled(campaigns.of(tmp_path / "fail", MANY["one failed"]))
    assert (got.lost, got.acked, got.bound) == (7, 915, None)
    assert pooled(campaigns.of(tmp_path / "none", MANY["all skipped"])) == Loss(
        "all scenarios", 0, 0, None, "no scenario decided it"
    )


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (campaigns.told("a", resources=None), "zero_loss is undecided: the resources were never read"),
        (
            campaigns.told("a", promises=(Asked("recovery", {"within_s": 30.0}),)),
            "does not ask for zero_loss",
        ),
        (campaigns.told("a", sealed=False), "ledger_whole does not hold: the ledger is not sealed"),
    ],
)
def test_what_does_not_count_says_why(tmp_path: Path, told: Any, why: str) -> None:
    """No truth, no promise, no whole record: no bound."""
    (loss,) = losses(campaigns.of(tmp_path, {"a": told}))
    assert (loss.counted, loss.bound) == (False, None)
    assert why in loss.why


def test_a_proven_loss_counts_in_an_invalid_run(tmp_path: Path) -> None:
    """The ledger is not whole, but what is lost stays lost."""
    got = campaigns.of(tmp_path, {"a": campaigns.told("a", lost=(3,), sealed=False)})
    assert (got.exit_code, pooled(got).lost) == (1, 1)
    assert ("FAIL", "zero_loss") in [(k.kind, k.criterion) for k in key_findings(got)]


def test_a_failure_in_an_invalid_run_convicts_nobody(tmp_path: Path) -> None:
    """It is told, but neither recommended upon nor shown as a failure of the criterion."""
    told = campaigns.told("a", rejected_unsafe=1, injections=(histories.injection(bit=False),))
    got = campaigns.of(tmp_path, {"a": told})
    assert got.exit_code == 3
    assert "MEND" not in kinds(recommendations(got))
    (void,) = [each for each in key_findings(got) if each.criterion == "safe_rejections"]
    assert (void.kind, void.text) == (
        "INVALID",
        "got 1 refused unsafely (1 with 429), which convicts nobody: the run is INVALID",
    )
    the_grid = grid(got)
    column = the_grid.criteria.index("safe_rejections")
    assert (the_grid.rows[0].cells[column], the_grid.worst[column]) == ("(FAIL)", "UNKNOWN")


def test_the_grid_takes_the_worst(tmp_path: Path) -> None:
    """Of a criterion that is asked twice, and of each column; promises first, then the assumptions."""
    twice = (Asked("recovery", {"within_s": 30.0}), Asked("recovery", {"within_s": 0.1}))
    entries: dict[str, campaigns.Told] = {
        "a": campaigns.told("a"),
        "b": campaigns.told("b", promises=twice),
        "c": campaigns.SKIPPED,
    }
    got = grid(campaigns.of(tmp_path, entries))
    assert got.criteria == (*(a.criterion for a in histories.EVERY), *ASSUMPTIONS[:3])
    recovery = got.criteria.index("recovery")
    assert [row.cells[recovery] for row in got.rows] == ["PASS", "FAIL", "-"]
    assert [row.cells[0] for row in got.rows] == ["PASS", "-", "-"]
    assert (got.worst[0], got.worst[recovery]) == ("PASS", "FAIL")


def test_close_calls_used_more_than_four_fifths(tmp_path: Path) -> None:
    """The breaker opened within 0.41 s: of 0.45 s that is close, of 0.55 s it is not."""
    asked = [
        campaigns.told(n, promises=(Asked("breaker_opens", {"within_s": s}),))
        for n, s in (("a", 0.45), ("b", 0.55))
    ]
    got = close_calls(campaigns.of(tmp_path, dict(zip("ab", asked, strict=True))))
    assert [(e.name, f.criterion, round(part, 2)) for e, f, part in got] == [("a", "breaker_opens", 0.91)]


def test_the_key_findings_are_the_worst_first(tmp_path: Path) -> None:
    """Every conviction with its numbers, every undecided one with its mend, close calls, and the best."""
    got = key_findings(campaigns.of(tmp_path, campaigns.EVERY, "interrupted"))
    assert kinds(got) == [
        *["FAIL"] * 2,
        *["INVALID"] * 2,
        "UNKNOWN",
        "NOT_RUN",
        "SKIPPED",
        "CLOSE",
        *["BEST"] * 4,
    ]
    assert (got[0].scenario, got[0].text) == (
        "redis-oom",
        "wanted 0 acknowledged alerts lost; got 7 of 40 lost",
    )
    assert all(each.mend for each in got if each.kind in ("INVALID", "UNKNOWN", "NOT_RUN"))


def test_recommendations_follow_from_findings(tmp_path: Path) -> None:
    """With the figures; the same advice is given once."""
    got = recommendations(campaigns.of(tmp_path, campaigns.EVERY, "interrupted"))
    assert kinds(got) == ["MEND", "MEND", "DECIDE", "DECIDE", "DECIDE", "RUN", "RUN", "WIDEN", "NOT SHOWN"]
    assert "redis-oom: wanted 0 acknowledged alerts lost, got 7 of 40 lost" in got[0].text
    assert got[5].text == "Run what was not run (1): alert-storm."


def test_when_all_passed_nothing_is_invented(tmp_path: Path) -> None:
    """It only says what was not shown: the bound, and what would halve it at the rate that was sent."""
    got = recommendations(campaigns.of(tmp_path, campaigns.ALL_PASS))
    assert set(kinds(got)) == {"NOT SHOWN"}
    # 915 alerts in 20 s; ln 0.05 / ln(1 - bound / 2) = 1,831.5, so 917 more.
    assert got[0].text == (
        "A loss rarer than 0.33% of acknowledged alerts (0 of 915 lost). 917 more without a loss, 21 s at "
        "this campaign's 45.8 acknowledged a second, would halve that bound."
    )


def test_advice_is_for_criteria_that_exist() -> None:
    """A renamed criterion would silently lose its advice."""
    assert set(ADVICE) <= set(criterion_names())


def test_a_criterion_without_advice_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its promise is recommended."""
    monkeypatch.delitem(ADVICE, "zero_loss")
    first = recommendations(campaigns.of(tmp_path, MANY["one failed"]))[0]
    assert first.text.startswith("Keep the promise of zero_loss, “No acknowledged alert is lost")
