"""Secrets taken out of what leaves this machine: tokens, passwords, keys, headers, environment values."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

TAKEN_OUT = "[taken out]"
_SECRET_NAME = r"(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|client-key)"
_NAMED = re.compile(_SECRET_NAME, re.IGNORECASE)
_ALL_OF_IT = re.compile(r"(?:request_|response_)?headers|env|environ|environment", re.IGNORECASE)
# A shorter value could be any word, and is taken out only where its name stands beside it.
_TELLING = 8
_VALUE = r"[^\s\"'<>&,;}\\]+"
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)", re.DOTALL)
# (what, what stays of it). The first two groups of a pattern are what stands before the secret.
_PATTERNS = (
    re.compile(r"(\b[a-z][a-z0-9+.-]*://)()[^/\s@\"'<>]+(?=@)", re.IGNORECASE),
    re.compile(
        r"\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)(\\?[\"']?\s*[:=]\s*\\?[\"']?)"
        r"[^\"'<>\r\n\\]+",
        re.IGNORECASE,
    ),
    re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"()()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    re.compile(
        r"()()\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|AKIA[A-Z0-9]{16})"
    ),
    re.compile(rf"([\w-]*{_SECRET_NAME}[\w-]*)(\\?[\"']?\s*[:=]\s*\\?[\"']?){_VALUE}", re.IGNORECASE),
    re.compile(rf"(--[\w-]*{_SECRET_NAME}[\w-]*)(\s+[\"']?)(?!-){_VALUE}", re.IGNORECASE),
)


class Redactor:
    """Takes secrets out and counts them. ``keep`` are values that look like secrets and are none, as the
    run's own token is; ``environment`` is searched for values whose names say that they are secret."""

    def __init__(self, keep: Collection[str] = (), environment: Mapping[str, str] = os.environ) -> None:
        self._keep = frozenset(keep)
        named = {value for name, value in environment.items() if _NAMED.search(name)}
        self._known = sorted((v for v in named - self._keep if len(v) >= _TELLING), key=len, reverse=True)
        self.count = 0
        self._in_key = False

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        for value in self._known:
            if value in text:
                self.count += text.count(value)
                text = text.replace(value, TAKEN_OUT)
        text = _KEY.sub(self._taken, text)
        for pattern in _PATTERNS:
            text = pattern.sub(self._unless_kept, text)
        return text

    def line(self, line: str) -> str:
        """Return one of a file's lines, taken in order: a key may go over many of them."""
        if self._in_key:
            self._in_key = "-----END" not in line
            return TAKEN_OUT + "\n"
        self._in_key = "PRIVATE KEY-----" in line and "-----BEGIN" in line and "-----END" not in line
        return self.text(line)

    def document(self, value: Any, name: str = "") -> Any:
        """Return a JSON value without its secrets: by the names of fields, and in every text."""
        if isinstance(value, dict):
            whole = _ALL_OF_IT.fullmatch(name) is not None
            return {key: self._field(str(key), each, whole) for key, each in value.items()}
        if isinstance(value, list):
            return [self.document(each, name) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def lines(self, text: str) -> Iterator[str]:
        """Yield a file's lines without their secrets; one that is JSON stays so."""
        for line in text.splitlines(keepends=True):
            before = self.count
            cleaned = self._json_line(line) if line.startswith("{") else None
            yield self.line(line) if cleaned is None else line if self.count == before else cleaned

    def _json_line(self, line: str) -> str | None:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return json.dumps(self.document(value), separators=(",", ":")) + "\n"

    def _field(self, key: str, value: Any, whole: bool) -> Any:
        secret = whole or _NAMED.search(key) is not None
        if secret and isinstance(value, str | int | float) and not isinstance(value, bool):
            if str(value) in self._keep or value == "":
                return value
            self.count += 1
            self._learn(str(value))
            return TAKEN_OUT
        return self.document(value, key)

    def _learn(self, secret: str) -> None:
        # A page tells a field's value without its name, so it is to be known again there.
        if len(secret) >= _TELLING and secret not in self._known:
            self._known.append(secret)

    def _taken(self, _: re.Match[str]) -> str:
        self.count += 1
        return TAKEN_OUT

    def _unless_kept(self, found: re.Match[str]) -> str:
        before = found[1] + found[2]
        secret = found[0][len(before) :]
        if secret in self._keep or secret.startswith(TAKEN_OUT.split()[0]):
            return found[0]
        self.count += 1
        return before + TAKEN_OUT
