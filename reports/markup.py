"""Markdown out of foreign text: it is shown as it is, and nothing in it comes alive."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reports.presentation import plain


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line: no markup, table cell, tag, mention or link."""
    flat = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([\\`*\[\]|~])", r"\\\1", flat)
    # An underscore between letters is no markup in GitHub's Markdown, and names are full of them.
    flat = re.sub(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])", r"\\_", flat)
    flat = re.sub(r"^([#+\-=])", r"\\\1", flat)
    # A zero-width space keeps a foreign "@name" from calling on someone.
    return re.sub(r"@(?=\w)", "@\u200b", flat)


def code(text: str) -> str:
    """Return text in code font, or only escaped where code font could not hold it."""
    flat = plain(text)
    return escape(flat) if re.search(r"[`|]", flat) or not flat.strip() else f"`{flat}`"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are already escaped."""
    lines = [heads, ["---" for _ in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
