"""Webhook bodies spliced from prepared parts: the bytes that `alerts.body` gives, at a fraction of its cost.

What differs from alert to alert (ids, fingerprint, time) is put between parts that were encoded once for each
recipe. What no template fits goes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from shapes import alerts
from shapes.alerts import FNV_MASK, FNV_PRIME, Naming, Planned
from shapes.phase import AlertRecipe

_STARTS = "2000-01-01T01:02:03.456789Z"  # Stands for a time in a template.
_MOST_STEMS = 4096
_Parts = tuple[bytes, bytes, bytes, bytes]


class Prepared:
    """The bodies of one run. ``wall`` as in `alerts.body`."""

    def __init__(self, naming: Naming, wall: Callable[[float], str]) -> None:
        self._naming = naming
        self._token = naming.token
        self._wall = wall
        self._recipes: dict[tuple[str, str, str], _Recipe] = {}

    def body(self, batch: Sequence[Planned]) -> bytes:
        """Return what `alerts.body` returns."""
        first = batch[0]
        recipe = self._recipe(first.recipe)
        if len(batch) == 1 and recipe.fits and _is_plain(first):
            return recipe.one.filled(self._parts(recipe, first))
        family, subject = first.recipe.family, first.subject
        alike = all(_is_plain(a) and a.recipe.family == family for a in batch)
        if not (alike and recipe.fits and any(a.subject != subject for a in batch)):
            return alerts.body(self._naming, batch, self._wall)
        entries = [recipe.entry.filled(self._parts(recipe, alert)) for alert in batch]
        return recipe.head + b",".join(entries) + recipe.tail

    def _recipe(self, recipe: AlertRecipe) -> _Recipe:
        known = self._recipes.get(recipe.family)
        if known is None:
            known = self._recipes[recipe.family] = _Recipe(self._naming, recipe)
        return known

    def _parts(self, recipe: _Recipe, alert: Planned) -> _Parts:
        mark = subject = f"{self._token}-{alert.number:07d}".encode()
        if alert.subject != alert.number:
            subject = f"{self._token}-{alert.subject:07d}".encode()
        return subject, mark, self._wall(alert.due_s).encode(), recipe.fingerprint(subject)


def _is_plain(alert: Planned) -> bool:
    return alert.fired_s is None and not alert.unusable


class _Recipe:
    """The parts of a recipe's bodies; ``fits`` is False of one that holds by itself what they are cut by."""

    def __init__(self, naming: Naming, recipe: AlertRecipe) -> None:
        pair = [Planned(n, n + 5, "", 0.0, recipe) for n in (1234567, 7654321)]
        first = pair[0]
        print_ = alerts.fingerprint(alerts.labels(naming, first))
        cuts = (naming.alert_id(first.subject), naming.alert_id(first.number), _STARTS, print_)
        entries = [alerts.encoded(alerts.entry(naming, each, lambda _: _STARTS)) for each in pair]
        head, _, self.tail = alerts.body(naming, pair, lambda _: _STARTS).partition(b",".join(entries))
        self.head = head
        self.entry = _Template(entries[0], cuts)
        self.one = _Template(alerts.body(naming, pair[:1], lambda _: _STARTS), cuts)
        text = "".join((recipe.name, recipe.namespace, recipe.severity))
        self.fits = not any(each in text for each in cuts)
        # Of alertnames of their own, the subject's id stands in the hash twice.
        self._hashed = alerts.hashed(alerts.labels(naming, first)).split(cuts[0].encode())
        self._begins = alerts.fnv(self._hashed[0])
        self._ends = _Suffix(self._hashed[-1])
        self._stems: dict[bytes, int] = {}

    def fingerprint(self, subject: bytes) -> bytes:
        """Return the fingerprint of the labels with this subject's id."""
        if len(self._hashed) != 2:
            return b"%016x" % alerts.fnv(subject.join(self._hashed))
        stem = subject[:-3]
        state = self._stems.get(stem)
        if state is None:
            if len(self._stems) >= _MOST_STEMS:
                self._stems.clear()
            state = self._stems[stem] = alerts.fnv(stem, self._begins)
        for byte in subject[-3:]:
            state = ((state ^ byte) * FNV_PRIME) & FNV_MASK
        return b"%016x" % self._ends.after(state)


class _Template:
    """A text in which what differs was cut out."""

    def __init__(self, text: bytes, cuts: Sequence[str]) -> None:
        marks = [cut.encode() for cut in cuts]
        pieces = re.split(b"(" + b"|".join(map(re.escape, marks)) + b")", text)
        self._text = b"%b".join(piece.replace(b"%", b"%%") for piece in pieces[::2])
        self._order = itemgetter(*(marks.index(piece) for piece in pieces[1::2]))

    def filled(self, parts: _Parts) -> bytes:
        """Return the text with other parts in the places of those cut out."""
        filled: bytes = self._text % self._order(parts)
        return filled


class _Suffix:
    """A text that ends many hashed ones.

    FNV-1a's exclusive or changes a state's lowest byte only, by as much as that byte says, and the lowest
    bytes of all later states follow from it. So what a fixed text makes of a state is the state times a
    constant plus one of 256 others.
    """

    def __init__(self, text: bytes) -> None:
        self._factor = pow(FNV_PRIME, len(text), FNV_MASK + 1)
        self._terms = [(alerts.fnv(text, low) - low * self._factor) & FNV_MASK for low in range(256)]

    def after(self, state: int) -> int:
        """Return the state after the text."""
        return (state * self._factor + self._terms[state & 0xFF]) & FNV_MASK
