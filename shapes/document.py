"""A YAML document read field by field, so that every complaint names file, path and mend."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from shapes.units import UnitError

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """The safe loader, which also refuses a field that stands twice: YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"field {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class DocumentError(ValueError):
    """A file that cannot be used; the message is one sentence with file, path and mend."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document with the place where it stands."""

    file: str
    path: str
    value: object

    def error(self, sentence: str) -> DocumentError:
        """Return (not raise) the error that names this place."""
        place = f"{self.file}: {self.path}: " if self.path else f"{self.file}: "
        return DocumentError(place + sentence)

    def fields(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, Node]:
        """Return the fields of a mapping; refuse unknown ones and name missing ones."""
        if not isinstance(self.value, dict):
            raise self.error(f"wanted fields like 'name: value', got {self.value!r}")
        known = [*required, *optional]
        for name in self.value:
            if name not in known:
                raise self.error(f"unknown field {str(name)!r}; {unknown(str(name), known)}")
        for name in required:
            if name not in self.value:
                raise self.error(f"field {name!r} is missing; add '{name}: …'")
        return {str(k): self._child(str(k), v) for k, v in self.value.items()}

    def entries(self) -> dict[str, Node]:
        """Return the fields of a mapping whose names are free."""
        if not isinstance(self.value, dict):
            raise self.error(f"wanted fields like 'name: value', got {self.value!r}")
        return {str(k): self._child(str(k), v) for k, v in self.value.items()}

    def items(self) -> Iterator[Node]:
        """Yield the entries of a list."""
        if not isinstance(self.value, list):
            raise self.error(f"wanted a list ('- …' lines), got {self.value!r}")
        for index, value in enumerate(self.value):
            yield Node(self.file, f"{self.path}[{index}]", value)

    def text(self) -> str:
        """Return the value as text."""
        if isinstance(self.value, dict | list) or self.value is None:
            raise self.error(f"wanted a word, got {self.value!r}")
        return str(self.value)

    def whole(self, least: int = 0) -> int:
        """Return the value as a whole number of at least ``least``."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < least:
            raise self.error(f"wanted a whole number from {least} on, got {self.value!r}")
        return self.value

    def one_of(self, choices: Iterable[str]) -> str:
        """Return the value when it is one of the choices; an unknown one lists those that exist."""
        word, known = self.text(), sorted(choices)
        if word not in known:
            raise self.error(f"unknown {word!r}; {unknown(word, known)}")
        return word

    def quantity(self, parse: Callable[[object], T]) -> T:
        """Return the value parsed by a function of `shapes.units`."""
        try:
            return parse(self.value)
        except UnitError as problem:
            raise self.error(str(problem)) from None

    def _child(self, name: str, value: object) -> Node:
        return Node(self.file, f"{self.path}.{name}" if self.path else name, value)


def load(path: Path, shown_as: str | None = None) -> Node:
    """Read a YAML file.

    Raises:
        DocumentError: if the file cannot be read or is not YAML; line and column are named.
    """
    name = shown_as or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise DocumentError(f"{name}: cannot be read ({problem.strerror}); check the path") from None
    except UnicodeDecodeError as problem:
        raise DocumentError(f"{name}: is not UTF-8 text (byte {problem.start}); save it as UTF-8") from None
    try:
        value = yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = getattr(problem, "problem", None) or "not YAML"
        raise DocumentError(f"{name}: {place}YAML error, {what}; mend that line") from None
    if value is None:
        raise DocumentError(f"{name}: is empty; see scenarios/redis-master-failure.yaml for an example")
    return Node(name, "", value)


def unknown(word: str, known: Iterable[str]) -> str:
    """Return the half sentence that mends an unknown name: the nearest one, and all that exist."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}there are: {', '.join(names) or '(none)'}"
