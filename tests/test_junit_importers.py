"""The JUnit reports are what CI imports: by the usual importers' schema, and by a parser."""

from __future__ import annotations

from pathlib import Path

import campaigns
import junitparser
import pytest
import rendered
import xmlschema
from campaigns import MANY

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent / "data" / "junit.xsd")


def reports(tmp_path: Path) -> dict[str, str]:
    """Return the JUnit report of every run and every campaign."""
    found = {f"run {name}": rendered.render("junit", told) for name, told in rendered.ALL.items()}
    for number, (name, entries) in enumerate(MANY.items()):
        found[f"campaign {name}"] = campaigns.render("junit", campaigns.of(tmp_path / str(number), entries))
    return found


def test_every_report_is_as_the_schema_says(tmp_path: Path) -> None:
    """Elements, order and attributes; what is no text of XML was left out."""
    assert {name: list(SCHEMA.iter_errors(text)) for name, text in reports(tmp_path).items()} == {
        name: [] for name in reports(tmp_path / "again")
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [("<testcase ", "<case "), (' tests="', ' test="'), ("<error ", "<maybe "), (' time="0', ' time="x')],
)
def test_the_schema_refuses_what_importers_do(old: str, new: str) -> None:
    """Or it would prove nothing."""
    text = rendered.render("junit", rendered.UNKNOWN)
    assert old in text
    broken = text.replace(old, new).replace(f"</{old[1:-1]}>", f"</{new[1:-1]}>")
    assert not SCHEMA.is_valid(broken)


def test_a_parser_reads_the_same_counts(tmp_path: Path) -> None:
    """junitparser: tests, failures, errors and skipped, as the suites say of themselves."""
    for name, text in reports(tmp_path).items():
        parsed = junitparser.JUnitXml.fromstring(text.encode())
        assert isinstance(parsed, junitparser.JUnitXml)
        for suite in parsed:
            told = (suite.tests, suite.failures, suite.errors, suite.skipped)
            suite.update_statistics()
            assert told == (suite.tests, suite.failures, suite.errors, suite.skipped), name
