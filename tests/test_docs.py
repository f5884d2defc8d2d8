"""What the README says exists: options, environment variables, criteria, files, commands."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_hooks import options
from reports import verdict
from shapes import scenario
from shapes.document import Node

HOME = Path(__file__).resolve().parent.parent
README = (HOME / "README.md").read_text()
PAGES = sorted((HOME / "docs").glob("*.md"))


class _Parser(argparse.ArgumentParser):
    """Takes what Locust's parser takes beyond argparse's."""

    def add_argument(self, *names: str, env_var: str = "", include_in_web_ui: bool = True, **how: Any) -> Any:
        action = super().add_argument(*names, **how)
        action.env_var = env_var  # type: ignore[attr-defined]
        return action


def _flags() -> dict[str, str]:
    parser = _Parser()
    parser.add_argument("--web-host")
    options.add_to(parser)
    return {
        action.option_strings[0]: getattr(action, "env_var", "")
        for action in parser._actions
        if action.option_strings[0].startswith("--chaos-")
    }


def test_every_option_is_documented_with_its_variable_and_no_other() -> None:
    """The table has a row for each option, and names nothing that is not there."""
    flags = _flags()

    for flag, variable in flags.items():
        assert f"| `{flag}` | `{variable}` |" in README
    assert set(re.findall(r"--chaos-[a-z-]+", README)) <= set(flags)


def test_every_criterion_is_documented_and_no_other() -> None:
    """The table has each criterion by its file's name."""
    table = README.split("| criterion | promise |")[1].split("\n\n")[0]

    assert set(re.findall(r"`([a-z_]+)`", table)) == set(verdict.criterion_names())


def test_every_make_target_named_exists() -> None:
    """`make NAME` in the README is a rule of the Makefile."""
    makefile = (HOME / "Makefile").read_text()

    for name in set(re.findall(r"\bmake ([a-z]+)", README)):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_every_path_named_exists() -> None:
    """Folders and files in code font are there."""
    for name in set(
        re.findall(r"`((?:reports|scenarios|chaos_hooks|sandbox|shapes)/[a-z0-9_./-]*)`", README)
    ):
        if not name.startswith("reports/runs"):
            assert (HOME / name).exists(), name


def test_the_example_scenario_can_be_used() -> None:
    """The YAML block is a scenario."""
    text = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert text

    got = scenario.parse(Node("README.md", "", yaml.safe_load(text[1])), "example", "quick")

    assert got.alerts == 875


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "sandbox.gateway", "--list-defects"],
        ["-m", "sandbox", "--help"],
        ["-m", "reports", "--list"],
        ["-m", "reports", "--help"],
    ],
)
def test_the_commands_run(words: list[str]) -> None:
    """What a reader types works; `make run` itself is what the acceptance tests do."""
    done = subprocess.run([sys.executable, *words], cwd=HOME, capture_output=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_locustfile_has_one_user_and_one_shape() -> None:
    """Locust uses every concrete shape it sees in a locustfile, so there is exactly one."""
    text = (HOME / "locustfile.py").read_text()

    assert len(re.findall(r"^class \w+\(User\)", text, re.MULTILINE)) == 1
    assert len(re.findall(r"^class \w+\(ScenarioShape\)", text, re.MULTILINE)) == 1


def test_no_dependency_is_pinned_to_an_address() -> None:
    """Constraints are names and versions; no lock file is committed."""
    lines = (HOME / "constraints.txt").read_text().splitlines()

    assert all(re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    assert not [p for n in ("uv.lock", "poetry.lock", "package-lock.json") for p in HOME.glob(n)]


def test_every_page_names_what_is_there() -> None:
    """A page's options exist; the one on schedules tells every kind of fault that may be drawn."""
    from shapes.schedule import KINDS

    flags = set(_flags())
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"--chaos-[a-z-]+", text)) <= flags
    exploration = (HOME / "docs/exploration.md").read_text()
    assert all(f"`{kind.name}`" in exploration for kind in KINDS)


def test_pictures_are_small_and_used() -> None:
    """Each is below 150 kB and stands in a page, by a path that leads there."""
    pages = [HOME / "README.md", *PAGES]
    shown = {
        (page.parent / name).resolve()
        for page in pages
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", page.read_text())
    }
    there = set((HOME / "docs").glob("*.png"))

    assert shown == there
    assert all(path.stat().st_size < 150_000 for path in there)
