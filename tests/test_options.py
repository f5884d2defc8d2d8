"""The options: prefixed, in the environment too, and of the web form only those that harm nobody."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

import pytest

from chaos_hooks import options
from chaos_hooks.options import Options

GIVEN = Options(
    scenario="redis-master-failure",
    pace="quick",
    target="sandbox",
    target_url="http://127.0.0.1:8080",
    allow_target="gateway.example",
    gateway_command="./gateway",
    gateway_port=8080,
    start_args="--logs x",
    no_faults=False,
    runs_dir="/runs",
    seed=7,
    pattern="storm",
    rate="10/min",
    count=200,
    duration="60s",
    alert_name="PodCrashed",
    resume="latest",
)
SHOWN = {"scenario", "pace", "no_faults", "seed", "pattern", "rate", "count", "duration", "alert_name"}


class Parser(argparse.ArgumentParser):
    """Takes what Locust's parser takes, and notes it."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[str, dict[str, Any]] = {}

    def add_argument(self, *names: str, **given: Any) -> argparse.Action:
        if "env_var" in given:
            self.noted[names[0]] = {key: given.pop(key) for key in ("env_var", "include_in_web_ui")}
        return super().add_argument(*names, **given)


@pytest.fixture
def parser() -> Parser:
    """Return a parser that has the options, as a second one has that got them before."""
    options.add_to(Parser())
    made = Parser()
    options.add_to(made)
    return made


def test_every_option_is_prefixed_and_stands_in_the_environment(parser: Parser) -> None:
    """One for each field of Options, and none besides."""
    names = {f"--chaos-{field.name.replace('_', '-')}" for field in fields(Options)}

    assert set(parser.noted) == names
    assert {n: noted["env_var"] for n, noted in parser.noted.items()} == {
        n: n.removeprefix("--").replace("-", "_").upper() for n in names
    }
    assert all(noted["env_var"].startswith("CHAOS_") for noted in parser.noted.values())


def test_the_web_form_shows_only_what_names_no_program_file_or_host(parser: Parser) -> None:
    """And what it shows is what it may change."""
    shown = {name for name, noted in parser.noted.items() if noted["include_in_web_ui"]}

    assert shown == {f"--chaos-{name.replace('_', '-')}" for name in SHOWN}


def test_the_ui_listens_on_loopback_unless_asked_otherwise(parser: Parser) -> None:
    """A tool that breaks things is not for everybody on the network."""
    parser.add_argument("--web-host", default="")

    assert parser.parse_args([]).web_host == "" or parser.get_default("web_host") == "127.0.0.1"
    assert parser.parse_args(["--web-host", "0.0.0.0"]).web_host == "0.0.0.0"


def test_nothing_given_is_empty(parser: Parser) -> None:
    """The defaults; the runs go below reports/."""
    plain = Options("", "quick", "", "", "", "", 0, "", False, str(options.RUNS), -1, "", "", 0, "", "", "")

    assert options.read(parser.parse_args([])) == plain


def test_what_is_given_is_read(parser: Parser) -> None:
    """Every option."""
    words = []
    for field in fields(Options):
        flag, value = f"--chaos-{field.name.replace('_', '-')}", getattr(GIVEN, field.name)
        words += [f"{flag}={value}"] if not isinstance(value, bool) else []

    assert options.read(parser.parse_args(words)) == GIVEN
    assert options.read(parser.parse_args([*words, "--chaos-no-faults"])) == replace(GIVEN, no_faults=True)


def test_scenarios_and_paces_are_shown_as_choices_and_refused_later(parser: Parser) -> None:
    """The sentence that refuses an unknown one lists what there is; argparse's would not say where."""
    choices = {action.dest: action.choices for action in parser._actions}

    assert "redis-master-failure" in tuple(choices["chaos_scenario"] or ())
    assert tuple(choices["chaos_pace"] or ()) == ("quick", "plan")
    got = options.read(parser.parse_args(["--chaos-scenario", "./my.yaml", "--chaos-pace", "slow"]))
    assert (got.scenario, got.pace) == ("./my.yaml", "slow")


@pytest.mark.parametrize("name", [field.name for field in fields(Options)])
def test_a_form_changes_only_what_it_shows(name: str) -> None:
    """Whoever reaches the port, or a foreign page in the user's browser, names no program, file or host."""
    evil = {str: "evil", int: 666, bool: True}[type(getattr(GIVEN, name))]
    changed = options.changed_in_form(GIVEN, replace(GIVEN, **{name: evil}))  # type: ignore[arg-type]

    assert changed == (replace(GIVEN, **{name: evil}) if name in SHOWN else GIVEN)  # type: ignore[arg-type]
