"""The JUnit reports are what CI imports: by the usual importers' schema, and by a parser."""

from __future__ import annotations

from pathlib import Path

import campaigns
import junitparser
import pytest
import rendered
import xmlschema
from campaigns import MANY

DATA = Path(__file__).parent / "data"
# Jenkins's own, of its xunit plugin (MIT, see the file), as the sources of pytest 9 carry it; and a narrower
# one of this project's, with the order in which Ant writes and what older importers insist on.
SCHEMAS = {name: xmlschema.XMLSchema(DATA / f"{name}.xsd") for name in ("jenkins-junit-10", "junit")}


def reports(tmp_path: Path) -> dict[str, str]:
    """Return the JUnit report of every run and every campaign."""
    found = {f"run {name}": rendered.render("junit", told) for name, told in rendered.ALL.items()}
    for number, (name, entries) in enumerate(MANY.items()):
        found[f"campaign {name}"] = campaigns.render("junit", campaigns.of(tmp_path / str(number), entries))
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_report_is_as_the_schema_says(tmp_path: Path, name: str) -> None:
    """Elements, order and attributes; what is no text of XML was left out."""
    told = reports(tmp_path)

    assert {what: list(SCHEMAS[name].iter_errors(text)) for what, text in told.items()} == {
        w: [] for w in told
    }
    assert len(told) > 10


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize(
    ("old", "new"),
    [("<testcase ", "<case "), (' tests="', ' test="'), ("<error ", "<maybe "), ('" time="', '" time="x')],
)
def test_the_schemas_refuse_what_importers_do(name: str, old: str, new: str) -> None:
    """Or they would prove nothing."""
    text = rendered.render("junit", rendered.UNKNOWN)
    assert old in text
    broken = text.replace(old, new).replace(f"</{old[1:-1]}>", f"</{new[1:-1]}>")
    assert not SCHEMAS[name].is_valid(broken)


def test_a_parser_reads_the_same_counts(tmp_path: Path) -> None:
    """junitparser: tests, failures, errors and skipped, as the suites say of themselves."""
    for name, text in reports(tmp_path).items():
        parsed = junitparser.JUnitXml.fromstring(text.encode())
        assert isinstance(parsed, junitparser.JUnitXml)
        for suite in parsed:
            told = (suite.tests, suite.failures, suite.errors, suite.skipped)
            suite.update_statistics()
            assert told == (suite.tests, suite.failures, suite.errors, suite.skipped), name
