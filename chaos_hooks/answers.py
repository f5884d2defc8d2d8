"""Answers: what the sender may believe of each alert of a POST, read from how far the exchange got."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaos_hooks.exchange import Exchange
from reports.history import Outcome
from shapes.target import AnswerRules

_DETAIL_CHARS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What one alert's sending came to; ``kind`` refines the outcome as in reports.history.Attempt."""

    outcome: Outcome
    kind: str
    detail: str = ""


def read(exchange: Exchange, fingerprints: Sequence[str], rules: AnswerRules) -> list[Answer]:
    """Return one answer for each alert of a POST, in the order in which they were sent.

    Alertmanager takes every 2xx as delivered, sends a 5xx again, and gives that notification up on everything
    else (alertmanager notify/util.go, Retrier.Check): a refusal behind a 5xx is safe, any other unsafe.

    Args:
        fingerprints: of the alerts as they were sent, in order.
    """
    count = len(fingerprints)
    if exchange.reached == "connect":
        return [Answer(Outcome.UNSENT, "connect", _text(exchange.error))] * count
    if exchange.reached != "done" or exchange.status is None:
        # A server cannot process half a request, but a proxy in between may do with it what it likes.
        kind = "answer" if exchange.reached == "done" else exchange.reached
        return [Answer(Outcome.INDETERMINATE, kind, _text(exchange.error))] * count
    status = exchange.status
    if status in rules.indeterminate or not 200 <= status < 600:
        return [Answer(Outcome.INDETERMINATE, "answer", f"HTTP {status}: it may have been taken")] * count
    if status >= 300:
        safe = status >= 500 or status in rules.safe
        detail = _text(f"HTTP {status}", _reason(_parse(exchange.body)))
        return [Answer(Outcome.REJECTED, "safe" if safe else "unsafe", detail)] * count
    return _success(exchange, status, fingerprints, rules)


def _success(exchange: Exchange, status: int, sent: Sequence[str], rules: AnswerRules) -> list[Answer]:
    if rules.bodiless:
        return [Answer(Outcome.ACKED, rules.bodiless)] * len(sent)
    said = _parse(exchange.body)
    if not isinstance(said, dict):
        if not exchange.framed:
            detail = f"HTTP {status}: the body ended with the connection, and may be cut"
            return [Answer(Outcome.INDETERMINATE, "body", detail)] * len(sent)
        what = "an empty body" if not exchange.body.strip() else "a body that is no JSON object"
        return [_unsafe(f"HTTP {status} with {what}")] * len(sent)
    if status == 207 or "results" in said:
        items = said.get("results")
        if not isinstance(items, list):
            return [_unsafe(f"HTTP {status} without a list of results")] * len(sent)
        told = _assign(items, sent)
        return [_of_items(status, told[position], rules) for position in range(len(sent))]
    first = _of_word(f"HTTP {status}", said, rules)
    # One status word speaks of one alert: such a Gateway processes the first and drops the others.
    rest = _unsafe(f"HTTP {status} speaks of the POST's first alert only")
    return ([first] + [rest] * len(sent))[: len(sent)]


def _assign(items: list[Any], sent: Sequence[str]) -> dict[int, list[Any]]:
    """Return the items that speak of each position: by their index if they carry it; by fingerprint if theirs
    are those sent, or if their number does not fit; else by their own position."""
    told: dict[int, list[Any]] = defaultdict(list)
    if items and all(isinstance(item, dict) and "index" in item for item in items):
        for item in items:
            if isinstance(item["index"], int) and not isinstance(item["index"], bool):
                told[item["index"]].append(item)
        return told
    marks = [_fingerprint(item) for item in items]
    if len(items) == len(sent) and sorted(marks) != sorted(sent):
        return defaultdict(list, {position: [item] for position, item in enumerate(items)})
    free: dict[str, list[int]] = defaultdict(list)
    for position in reversed(range(len(sent))):
        free[sent[position]].append(position)
    for mark, item in zip(marks, items, strict=True):
        if free[mark]:
            told[free[mark].pop()].append(item)
    return told


def _of_items(status: int, items: list[Any], rules: AnswerRules) -> Answer:
    if not items:
        return _unsafe(f"HTTP {status}: not in the answer's results")
    answers = [_of_word(f"HTTP {status}, result", item, rules) for item in items]
    # Of two items that speak of one alert, the one that refuses it counts.
    return next((answer for answer in answers if answer.outcome is not Outcome.ACKED), answers[0])


def _of_word(place: str, said: Any, rules: AnswerRules) -> Answer:
    word = said.get("status") if isinstance(said, dict) else None
    if isinstance(word, str) and word in rules.acked:
        return Answer(Outcome.ACKED, rules.acked[word])
    named = f"status {word!r} does not say that it was taken" if word is not None else "says no status"
    return _unsafe(_text(f"{place}: {named}", _reason(said)))


def _unsafe(detail: str) -> Answer:
    return Answer(Outcome.REJECTED, "unsafe", detail)


def _fingerprint(item: Any) -> str:
    mark = item.get("fingerprint") if isinstance(item, dict) else None
    return mark if isinstance(mark, str) else ""


def _reason(said: Any) -> str:
    if not isinstance(said, dict):
        return ""
    words = [said.get(key) for key in ("error", "detail", "message", "title")]
    nested = said.get("rejection")
    if isinstance(nested, dict):
        words += [nested.get("reason"), nested.get("message")]
    return next((word for word in words if isinstance(word, str) and word.strip()), "")


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(*parts: str) -> str:
    # On one line, short, and writable as UTF-8, whatever the server put into it.
    line = " ".join("; ".join(part for part in parts if part).split())
    return line[:_DETAIL_CHARS].encode("utf-8", "replace").decode()
