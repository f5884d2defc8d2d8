"""What was leased to workers of which the ledgers do not tell: it may have been sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from shapes import ranges


def in_doubt(lines: Iterable[Mapping[str, Any]], settled: Collection[str]) -> set[int]:
    """Return the alerts that were offered to a worker and not refused.

    Args:
        lines: of ``leases.jsonl``, see `reports.workers`.
        settled: the workers whose ledgers are whole: what such a one did not begin, nobody did.
    """
    offers: dict[int, Mapping[str, Any]] = {}
    for line in lines:
        if line["r"] == "offer":
            offers[line["l"]] = line
        elif line["r"] == "answer" and not line["ok"]:
            offers.pop(line["l"], None)
    return {
        number
        for offer in offers.values()
        if offer["w"] not in settled
        for number in ranges.unpack(offer["n"])
    }
