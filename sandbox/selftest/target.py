"""The target files of the selftest: the shipped one of the sandbox, changed where a row asks for it."""

from pathlib import Path
from typing import Any

import yaml

from sandbox.selftest.row import Row

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = CHECKOUT / "scenarios" / "targets" / "sandbox.yaml"


def write(row: Row, folder: Path) -> Path | None:
    """Write the target that a row needs into a folder; None if the shipped one will do."""
    if not row.answer_s and not row.lacks:
        return None
    document: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    if row.answer_s:
        document["timeouts"] = {"connect": "1s", "answer": f"{row.answer_s:g}s"}
    if row.lacks:
        document["unsupported"] = {row.scenario: f"this Gateway has no {row.lacks}"}
    path = folder / "target.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path
