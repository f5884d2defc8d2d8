"""What a planted defect, or a noise, is called, what it takes, and what it does."""

from dataclasses import dataclass
from enum import Enum


class Value(Enum):
    """What stands behind the = of a defect."""

    NONE = ""
    SECONDS = "SECONDS"
    COUNT = "N"


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect that can be planted: its name, what it takes behind the =, and what it does, in one line."""

    name: str
    value: Value
    description: str

    @property
    def usage(self) -> str:
        """How it is written in GATEWAY_DEFECTS."""
        return self.name if self.value is Value.NONE else f"{self.name}={self.value.value}"
