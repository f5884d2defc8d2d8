"""Label and field selectors: parsed once from the query, then asked of each object."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes_api.metadata import is_label_key, is_label_value
from sandbox.kubernetes_api.resources import Object
from sandbox.kubernetes_api.status import ApiError, bad_request

_KEY = r"(?P<key>[^\s!=<>(),]+)"
_FORMS = (
    re.compile(rf"(?P<op>!)\s*{_KEY}"),
    re.compile(rf"{_KEY}(?P<op>)"),
    re.compile(rf"{_KEY}\s*(?P<op>==|!=|=)\s*(?P<value>[^\s!=<>(),]*)"),
    re.compile(rf"{_KEY}\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)"),
    re.compile(rf"{_KEY}\s*(?P<op>[<>])\s*(?P<value>-?[0-9]+)"),
)
_FIELD = re.compile(r"(?P<path>[^!=]+?)(?P<op>==|!=|=)(?P<value>.*)", re.DOTALL)
_ALWAYS_SELECTABLE = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label. `op` is in, notin, exists, absent, gt or lt."""

    key: str
    op: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: dict[str, str]) -> bool:
        """Whether the labels meet the condition; a missing label meets `notin` and `absent` only."""
        value = labels.get(self.key)
        if self.op in ("absent", "exists"):
            return (value is None) == (self.op == "absent")
        if value is None:
            return self.op == "notin"
        if self.op in ("in", "notin"):
            return (value in self.values) == (self.op == "in")
        try:
            difference = int(value) - int(next(iter(self.values)))
        except ValueError:
            return False
        return difference > 0 if self.op == "gt" else difference < 0


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on one field: equal to `value`, or unequal when `negated`."""

    path: str
    value: str
    negated: bool

    def holds(self, subject: Object) -> bool:
        """Whether the field's text meets the condition; a missing field reads as the empty text."""
        found: Any = subject
        for part in self.path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, bool):
            found = "true" if found else "false"
        text = "" if found is None else str(found)
        return (text == self.value) != self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """All conditions of a request; without any, every object matches."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, subject: Object) -> bool:
        """Whether the object meets every condition."""
        labels = subject["metadata"].get("labels") or {}
        return all(r.holds(labels) for r in self.labels) and all(t.holds(subject) for t in self.fields)


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The requirements of a `labelSelector`, by the grammar of k8s.io/apimachinery `pkg/labels`.

    Raises ApiError 400 naming the piece that cannot be read.
    """
    pieces = re.split(r",(?![^()]*\))", text) if text.strip() else []
    return tuple(_requirement(piece.strip()) for piece in pieces)


def _requirement(piece: str) -> Requirement:
    match = next((m for form in _FORMS if (m := form.fullmatch(piece))), None)
    if match is None:
        raise _unreadable(piece, "found no operator that fits")
    key, op, found = match["key"], match["op"], match.groupdict()
    if not is_label_key(key):
        raise _unreadable(piece, f"{key!r} is not a label key")
    if op in ("", "!"):
        return Requirement(key, "absent" if op == "!" else "exists")
    values = found["values"].split(",") if op in ("in", "notin") else [found["value"]]
    stripped = frozenset(value.strip() for value in values)
    wrong = sorted(value for value in stripped if not is_label_value(value))
    if op not in "<>" and wrong:
        raise _unreadable(piece, f"{wrong[0]!r} is not a label value")
    names = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}
    return Requirement(key, names.get(op, op), stripped)


def _unreadable(piece: str, why: str) -> ApiError:
    return bad_request(f"unable to parse requirement: {piece!r}: {why}")


def parse_fields(text: str, selectable: Iterable[str]) -> tuple[FieldTerm, ...]:
    """The terms of a `fieldSelector`, with `\\,` `\\=` and `\\\\` unescaped in values.

    Raises ApiError 400 for a term without operator and for a field that the resource cannot be selected by.
    """
    allowed = {*_ALWAYS_SELECTABLE, *selectable}
    terms = []
    for piece in re.split(r"(?<!\\),", text) if text else []:
        match = _FIELD.fullmatch(piece)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{piece}'")
        path = match["path"].strip()
        if path not in allowed:
            raise bad_request(f"field label not supported: {path}")
        value = re.sub(r"\\([,=\\])", r"\1", match["value"])
        terms.append(FieldTerm(path, value, match["op"] == "!="))
    return tuple(terms)
