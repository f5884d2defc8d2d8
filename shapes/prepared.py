"""Webhook bodies spliced from prepared parts: the bytes that `alerts.body` gives, at a fraction of its cost.

What differs from alert to alert (ids, fingerprint, time) is put between parts that were encoded once for each
recipe. What no template fits goes the long way. Where `_splice.c` was compiled, it does the same with plain
alerts, at a fraction of that cost again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from shapes import alerts, compiled
from shapes.alerts import FNV_MASK, FNV_PRIME, Naming, Planned
from shapes.phase import AlertRecipe
from shapes.wall import Wall

if TYPE_CHECKING:
    from shapes import _splice

_API = 1  # The one of _splice.c that is spoken here.
_built = compiled.load("shapes._splice", _API)
_SPLICE: type[_splice.Template] | None = _built.Template if _built else None
_STARTS = "2000-01-01T01:02:03.456789Z"  # Stands for a time in a template.
_DIGITS = [b"%d" % digit for digit in range(10)]
_LEAST_WIDTH, _MOST_WIDTH = 7, 18  # Digits of a number, and of one that _splice.c takes.
_Parts = tuple[bytes, bytes, bytes, bytes]


class Prepared:
    """The POSTs of one run. ``wall`` as in `alerts.body`; ``envelope`` gives the request around a body."""

    def __init__(
        self,
        naming: Naming,
        wall: Callable[[float], str],
        envelope: Callable[[bytes], bytes] = lambda body: body,
    ) -> None:
        self._naming = naming
        self._wall = wall
        self._envelope = envelope
        self._recipes: dict[tuple[tuple[str, str, str], int], _Recipe] = {}
        self._last: tuple[AlertRecipe | None, _Recipe | None] = (None, None)

    def requests(self, posts: Iterable[Sequence[Planned]]) -> list[bytes]:
        """Return the request of each POST: ``envelope`` of what `alerts.body` gives."""
        posts = list(posts)
        recipe = self._recipe(posts[0][0]) if posts else None
        if not recipe or not recipe.spliced:
            return self._requests(posts)
        texts = recipe.spliced.requests(posts, posts[0][0].recipe, self._times)
        left = [] if all(texts) else [post for post, text in zip(posts, texts, strict=True) if not text]
        others = iter(self._requests(left))
        return [text or next(others) for text in texts]

    def _requests(self, posts: Sequence[Sequence[Planned]]) -> list[bytes]:
        last, recipe = self._last
        wall, requests = self._wall, []
        for batch in posts:
            first = batch[0]
            number, subject, _, due_s, shape, _, fired_s, unusable = first
            if shape is not last:
                last, recipe = shape, self._recipe(first)
            assert recipe
            plain = number == subject and fired_s is None and not unusable
            if plain and recipe.enveloped and len(batch) == 1:
                mark, print_ = recipe.own(number)
                request = recipe.enveloped.filled((mark, mark, wall(due_s).encode(), print_))
                if len(request) == recipe.length:  # Else the envelope told another length.
                    requests.append(request)
                    continue
                last = None  # Perhaps the next number is as wide as this one.
            requests.append(self._envelope(self.body(batch)))
        return requests

    def body(self, batch: Sequence[Planned]) -> bytes:
        """Return what `alerts.body` returns."""
        first = batch[0]
        recipe = self._recipe(first)
        if len(batch) == 1 and recipe.fits and _is_plain(first):
            return recipe.one.filled(self._parts(recipe, first))
        family, subject = first.recipe.family, first.subject
        if recipe.entries and batch[-1].subject != subject:
            entries = recipe.entries.entries(batch, first.recipe, self._times)
            if entries is not None:
                return recipe.head + entries + recipe.tail
        alike = all(_is_plain(a) and a.recipe.family == family for a in batch)
        if not (alike and recipe.fits and any(a.subject != subject for a in batch)):
            return alerts.body(self._naming, batch, self._wall)
        filled = [recipe.entry.filled(self._parts(recipe, alert)) for alert in batch]
        return recipe.head + b",".join(filled) + recipe.tail

    @property
    def _times(self) -> Callable[[float], str] | int:
        return self._wall.zero_us if type(self._wall) is Wall else self._wall

    def _recipe(self, alert: Planned) -> _Recipe:
        """Return the parts for the alert's recipe, and for numbers as wide as its own."""
        number, shape = alert.number, alert.recipe
        last, recipe = self._last
        if recipe and shape is last and recipe.lowest <= number < recipe.beyond:
            return recipe
        width = len(f"{number:0{_LEAST_WIDTH}d}")
        recipe = self._recipes.get((shape.family, width))
        if recipe is None:
            recipe = _Recipe(self._naming, shape, self._envelope, width)
            self._recipes[shape.family, width] = recipe
        self._last = shape, recipe
        return recipe

    def _parts(self, recipe: _Recipe, alert: Planned) -> _Parts:
        own, print_ = recipe.own(alert.subject)
        mark = own if alert.number == alert.subject else self._naming.alert_id(alert.number).encode()
        return own, mark, self._wall(alert.due_s).encode(), print_


def _is_plain(alert: Planned) -> bool:
    return alert.fired_s is None and not alert.unusable


class _Recipe:
    """The parts of a recipe's bodies; ``fits`` is False of one that holds by itself what they are cut by.
    ``enveloped`` is the whole request of one alert, where only the body differs from one to the next and the
    number has ``width`` digits: from ``lowest`` to below ``beyond``. ``spliced`` is the compiled twin of it,
    ``entries`` the one of ``entry``."""

    def __init__(
        self, naming: Naming, recipe: AlertRecipe, envelope: Callable[[bytes], bytes], width: int
    ) -> None:
        self.beyond = 10**width
        self.lowest = self.beyond // 10 if width > _LEAST_WIDTH else 0
        pair = [Planned(n, n + 5, "", 0.0, recipe) for n in (self.beyond // 8, self.beyond // 7)]
        first = pair[0]
        print_ = alerts.fingerprint(alerts.labels(naming, first))
        cuts = (naming.alert_id(first.subject), naming.alert_id(first.number), _STARTS, print_)
        entries = [alerts.encoded(alerts.entry(naming, each, lambda _: _STARTS)) for each in pair]
        head, _, self.tail = alerts.body(naming, pair, lambda _: _STARTS).partition(b",".join(entries))
        self.head = head
        self.entry = _Template(entries[0], cuts)
        one, other = (alerts.body(naming, [each], lambda _: _STARTS) for each in pair)
        self.one = _Template(one, cuts)
        text = "".join((recipe.name, recipe.namespace, recipe.severity))
        self.fits = not any(each in text for each in cuts)
        whole, begins = envelope(one), len(envelope(one)) - len(one)
        same = whole == envelope(other)[:begins] + one and not any(c.encode() in whole[:begins] for c in cuts)
        self.enveloped = _Template(whole, cuts) if self.fits and same else None
        self.length = len(whole)
        # Of alertnames of their own, the subject's id stands in the hash twice.
        self._hashed = alerts.hashed(alerts.labels(naming, first)).split(cuts[0].encode())
        self._begins = alerts.fnv(self._hashed[0])
        self._ends = _Suffix(self._hashed[-1])
        self._token = naming.token
        self.spliced = self._compiled(self.enveloped, width)
        self.entries = self._compiled(self.entry, width) if self.fits else None
        self._tens, self._stem, self._state = -1, b"", 0
        self._ten: list[tuple[bytes, bytes]] = []

    def _compiled(self, template: _Template | None, width: int) -> _splice.Template | None:
        if not template or not _SPLICE or width > _MOST_WIDTH:
            return None
        stem = f"{self._token}-".encode()
        own, mark, times, prints = template.places
        digits = tuple(at + len(stem) for at in own + mark)
        hashed = [piece + stem for piece in self._hashed[:-1]] + self._hashed[-1:]
        return _SPLICE(template.text, digits, times, prints, tuple(hashed), self.lowest, width)

    def own(self, number: int) -> tuple[bytes, bytes]:
        """Return id and fingerprint of an alert that repeats none; it has nine neighbours at once."""
        tens = number // 10
        if tens != self._tens:
            self._tens, self._ten = tens, self._neighbours(tens)
        return self._ten[number - 10 * tens]

    def _neighbours(self, tens: int) -> list[tuple[bytes, bytes]]:
        stem = f"{self._token}-{tens:06d}".encode()
        marks = [stem + digit for digit in _DIGITS]
        if len(self._hashed) != 2:
            return [(mark, b"%016x" % alerts.fnv(mark.join(self._hashed))) for mark in marks]
        if stem[:-1] != self._stem:
            self._stem = stem[:-1]
            self._state = alerts.fnv(self._stem, self._begins)
        states = self._ends.after_digits(((self._state ^ stem[-1]) * FNV_PRIME) & FNV_MASK)
        prints = [(b"%x" % state).rjust(16, b"0") for state in states]
        return list(zip(marks, prints, strict=True))


class _Template:
    """A text in which what differs was cut out; ``places`` says where each cut is."""

    def __init__(self, text: bytes, cuts: Sequence[str]) -> None:
        marks = [cut.encode() for cut in cuts]
        self._pieces = re.split(b"(" + b"|".join(map(re.escape, marks)) + b")", text)
        self._order = itemgetter(*map(marks.index, self._pieces[1::2]))
        self.text = text
        self.places = [tuple(m.start() for m in re.finditer(re.escape(mark), text)) for mark in marks]

    def filled(self, parts: _Parts) -> bytes:
        """Return the text with other parts in the places of those cut out."""
        self._pieces[1::2] = self._order(parts)
        return b"".join(self._pieces)


class _Suffix:
    """A text that ends many hashed ones.

    FNV-1a's exclusive or changes a state's lowest byte only, by as much as that byte says, and the lowest
    bytes of all later states follow from it. So what a fixed text makes of a state is the state times a
    constant plus one of 256 others.
    """

    def __init__(self, text: bytes) -> None:
        self._factor = pow(FNV_PRIME, len(text), FNV_MASK + 1)
        terms = [(alerts.fnv(text, low) - low * self._factor) & FNV_MASK for low in range(256)]
        # Of one more byte before the text, by the lowest byte of what it is mixed into.
        lows = [low * FNV_PRIME for low in range(256)]
        self._before = [(low * self._factor + terms[low & 0xFF]) & FNV_MASK for low in lows]

    def after_digits(self, state: int) -> list[int]:
        """Return the states after each of the ten digits and the text."""
        low, before = state & 0xFF, self._before
        base = (state - low) * FNV_PRIME * self._factor
        return [(base + before[low ^ digit]) & FNV_MASK for digit in range(48, 58)]
