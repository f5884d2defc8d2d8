"""What every campaign report says, in words: sentence, table, grid, how sure it is, how to repeat it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from reports.bounds import at_most
from reports.campaign import HOW_ENDED, Campaign, CampaignEntry, EntryState
from reports.campaign_findings import Loss, losses, pooled
from reports.finding import Finding, Status
from reports.presentation import plain
from reports.verdict import ASSUMPTIONS, State

_NONE = "-"
# These have columns of their own in the table.
_OWN_COLUMN = ("zero_loss", "breaker_opens", "recovery")
GRID_LEGEND = (
    "The worst answer of each criterion in each scenario. - means not asked, or no run to ask; in "
    "parentheses: answers of a run whose assumptions did not hold, which count for nothing."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A fact in the table, with the status as it may be shown: in parentheses where it counts for nothing."""

    value: str
    note: str
    status: str
    shown: str


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario in the table: zero loss, breaker, recovery, and its other criteria."""

    entry: CampaignEntry
    about: str
    loss: Cell
    breaker: Cell
    recovery: Cell
    others: tuple[Finding, ...]
    page: str

    @property
    def folded(self) -> tuple[Finding, ...]:
        """Return those of the others that need no look: they passed, or count for nothing."""
        return tuple(f for f in self.others if f.status is Status.PASS or not self.entry.counts(f))


@dataclass(frozen=True, slots=True)
class GridRow:
    """A scenario's answers by criterion; an empty one was not asked. ``counts`` as `CampaignEntry.counts`."""

    entry: CampaignEntry
    answers: tuple[tuple[str, bool], ...]

    @property
    def cells(self) -> list[str]:
        """Return the words of the cells."""
        return [_word(status, counts) for status, counts in self.answers]


@dataclass(frozen=True, slots=True)
class Grid:
    """Scenarios against criteria; ``worst`` is the worst of each column, of what counts."""

    criteria: tuple[str, ...]
    rows: tuple[GridRow, ...]
    worst: tuple[str, ...]


def sentence(campaign: Campaign) -> str:
    """Return the campaign's result in one sentence that begins with it."""
    counts, total = campaign.counts, len(campaign.entries)
    failed = campaign.state is State.FAIL
    rest = [
        (counts.passed if failed else 0, "passed"),
        (counts.undecided, "undecided"),
        (counts.invalid, "invalid"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
    ]
    words = [f"{number:,} {what}" for number, what in rest if number]
    if campaign.ended != "completed":
        words.append(f"the campaign {HOW_ENDED[campaign.ended]}")
    over_all = pooled(campaign)
    words.append(loss_words(over_all) if over_all.counted else f"the loss is not known: {over_all.why}")
    names = ", ".join(e.name for e in campaign.entries if e.state is EntryState.FAIL)
    start = {State.FAIL: "FAIL", State.PASS: "PASS"}.get(campaign.state, "UNDECIDED")
    done = f"of {total:,} {_noun(total)}"
    done = f"{counts.failed:,} {done} failed ({names})" if failed else f"{counts.passed:,} {done} passed"
    return plain(f"{start}: {'; '.join((done, *words))}.")


def loss_words(loss: Loss) -> str:
    """Return what is known of a loss."""
    if not loss.counted:
        return f"not counted: {loss.why}"
    bound = f", at most {at_most(loss.bound)} at 95 %" if loss.bound is not None else ""
    return f"{loss.lost:,} of {loss.acked:,} acknowledged alerts lost{bound}"


def tiles(campaign: Campaign) -> list[tuple[str, int, str]]:
    """Return the counts as (what, how many, the state they stand for)."""
    counts = campaign.counts
    return [
        ("passed", counts.passed, "PASS"),
        ("failed", counts.failed, "FAIL"),
        ("undecided", counts.undecided, "UNKNOWN"),
        ("invalid", counts.invalid, "INVALID"),
        ("skipped", counts.skipped, "SKIPPED"),
        ("not run", counts.not_run, "NOT_RUN"),
    ]


def rows(campaign: Campaign) -> list[Row]:
    """Return the table, in the order in which the scenarios were run."""
    return [_row(entry) for entry in campaign.entries]


def grid(campaign: Campaign) -> Grid:
    """Return scenarios against criteria: the promises in the order of the scenarios, then the assumptions."""
    asked = {a.criterion: None for e in campaign.entries if e.judged for a in e.judged.run.promises}
    found = {f.criterion: None for e in campaign.entries for f in e.findings}
    promised = [name for name in {**asked, **found} if name in found and name not in ASSUMPTIONS]
    criteria = (*promised, *(name for name in ASSUMPTIONS if name in found))
    the_rows = tuple(GridRow(e, tuple(_answer(e, name) for name in criteria)) for e in campaign.entries)
    columns = [[row.answers[k] for row in the_rows] for k in range(len(criteria))]
    # An answer that counts for nothing leaves its criterion undecided there.
    worst = tuple(
        _worst(status if counts else Status.UNKNOWN for status, counts in c if status) for c in columns
    )
    return Grid(criteria, the_rows, worst)


def confidence(campaign: Campaign) -> list[tuple[str, str]]:
    """Return (scenario, what is known of its loss), and over all of them last."""
    over_all = pooled(campaign)
    return [(loss.name, loss_words(loss)) for loss in (*losses(campaign), over_all)]


def confidence_notes(campaign: Campaign) -> list[str]:
    """Return what the bounds mean, and what they do not."""
    counted, total = sum(loss.counted for loss in losses(campaign)), len(campaign.entries)
    return [
        "A bound is computed, not estimated: with none of n lost, the loss lies with 95 % confidence below "
        "1 - 0.05^(1/n), if alerts are lost independently of each other.",
        f"Pooled are the {counted:,} of {total:,} {_noun(total)} that decided "
        "zero_loss in a run whose assumptions held; the pooled bound is for their mix, not for each of them.",
        "Times are intervals between two readings; a limit counts as kept only if the latest is within it.",
    ]


def reproduce(campaign: Campaign) -> list[tuple[str, str]]:
    """Return what is needed to run it again, as (what, value) pairs."""
    runs = [(e, e.judged.run) for e in campaign.entries if e.judged]
    pairs = [("command", campaign.command or "not recorded"), ("pace", campaign.pace or "not recorded")]
    for what, kept in (("version of", "versions"), ("target", "target_facts")):
        seen: dict[str, dict[str, None]] = {}
        for _, run in runs:
            for name, value in sorted(getattr(run, kept).items()):
                seen.setdefault(name, {})[value] = None
        pairs += [(f"{what} {name}", " / ".join(values)) for name, values in sorted(seen.items())]
    pairs += [(f"{e.name} alone, seed {run.seed}", run.command or "not recorded") for e, run in runs]
    return [*pairs, ("judge again", f"python -m reports {campaign.campaign_id}")]


def link(entry: CampaignEntry) -> str:
    """Return the run's page as seen from the campaign's folder, percent-encoded; empty if there is none."""
    return f"../{quote(entry.run_id, safe='')}/report.html" if entry.judged and entry.judged.has_page else ""


def shown(entry: CampaignEntry, finding: Finding) -> str:
    """Return a finding's status, in parentheses if it counts for nothing."""
    return _word(finding.status, entry.counts(finding))


def _row(entry: CampaignEntry) -> Row:
    others = tuple(
        f
        for f in entry.findings
        if f.criterion not in _OWN_COLUMN and (not f.assumption or f.status is not Status.PASS)
    )
    loss, breaker, recovery = (
        _cell(entry, label, criterion)
        for label, criterion in zip(("Lost", "Breaker opened", "Recovered"), _OWN_COLUMN, strict=True)
    )
    title = entry.judged.run.title if entry.judged else ""
    return Row(entry, title, loss, breaker, recovery, others, link(entry))


def _cell(entry: CampaignEntry, label: str, criterion: str) -> Cell:
    fact = next((f for f in (entry.judged.facts if entry.judged else ()) if f.label == label), None)
    asked = [f for f in entry.findings if f.criterion == criterion]
    if fact is None:
        return Cell(_NONE, "", "", _NONE)
    if not asked:
        return Cell("not asked", "", "", _NONE)
    return Cell(fact.value, fact.note, asked[0].status.value, shown(entry, asked[0]))


def _answer(entry: CampaignEntry, criterion: str) -> tuple[str, bool]:
    found = [f for f in entry.findings if f.criterion == criterion]
    status = _worst(f.status for f in found)
    return status, any(entry.counts(f) for f in found if f.status == status)


def _worst(statuses: Iterable[str]) -> str:
    present = {str(status) for status in statuses}
    return next((s.value for s in (Status.FAIL, Status.UNKNOWN, Status.PASS) if s.value in present), "")


def _word(status: str, counts: bool) -> str:
    return _NONE if not status else str(status) if counts else f"({status})"


def _noun(count: int) -> str:
    return "scenario" if count == 1 else "scenarios"
