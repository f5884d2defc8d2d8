"""What the JSON reports share: a finding as a document, and a document as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from reports.finding import Finding


def dumped(document: Mapping[str, object]) -> str:
    """Return the document's text; numbers that are not finite become null."""
    return json.dumps(_finite(document), indent=1, allow_nan=False) + "\n"


def finding_document(finding: Finding) -> dict[str, object]:
    """Return all that a finding holds."""
    return {
        "criterion": finding.criterion,
        "status": finding.status.value,
        "promise": finding.promise,
        "wanted": finding.wanted,
        "got": finding.got,
        "samples": finding.samples,
        "numbers": dict(sorted(finding.numbers.items())),
        "examples": list(finding.examples),
        "mend": finding.mend,
        "assumption": finding.assumption,
        "conclusive": finding.conclusive,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    # Options come from YAML; a date in them is fit to be read, if not to be reckoned with.
    return value if value is None or isinstance(value, bool | int | str) else str(value)
