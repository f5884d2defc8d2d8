"""Quantities with units as a scenario file writes them: durations, rates, shares."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS_PER = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "min": Fraction(60),
    "h": Fraction(3600),
}
_NUMBER = r"(\d+(?:\.\d+)?)"


class UnitError(ValueError):
    """A quantity without a unit, or with one that is not known; the message says what to write."""


def duration_s(text: object) -> float:
    """Return the seconds of a duration such as ``500ms``, ``60s``, ``2m`` or ``1h``.

    Raises:
        UnitError: if the unit is missing or unknown.
    """
    match = re.fullmatch(_NUMBER + r"\s*(ms|s|m|min|h)", str(text).strip())
    if match is None:
        if re.fullmatch(_NUMBER, str(text).strip()):
            raise UnitError(f"{text!r} has no unit; write {text}s")
        raise UnitError(f"{text!r} is not a duration; write it like 500ms, 60s or 2m")
    return float(Fraction(match[1]) * _SECONDS_PER[match[2]])


def rate_per_s(text: object) -> Fraction:
    """Return the exact events per second of a rate such as ``20/s`` or ``10/min``.

    Raises:
        UnitError: if the unit is missing or unknown, or the rate is zero.
    """
    match = re.fullmatch(_NUMBER + r"\s*/\s*(s|m|min|h)", str(text).strip())
    if match is None:
        if re.fullmatch(_NUMBER, str(text).strip()):
            raise UnitError(f"{text!r} has no unit; write {text}/s or {text}/min")
        raise UnitError(f"{text!r} is not a rate; write it like 20/s or 10/min")
    rate = Fraction(match[1]) / _SECONDS_PER[match[2]]
    if rate == 0:
        raise UnitError(f"{text!r} sends nothing; a rate is greater than zero")
    return rate


def share(text: object) -> float:
    """Return the fraction, 0 to 1, of a share such as ``20%``.

    Raises:
        UnitError: if the per cent sign is missing or the share is above 100 %.
    """
    match = re.fullmatch(_NUMBER + r"\s*%", str(text).strip())
    if match is None:
        raise UnitError(f"{text!r} is not a share; write it like 20%")
    value = float(Fraction(match[1]) / 100)
    if value > 1:
        raise UnitError(f"{text!r} is more than everything; a share is at most 100%")
    return value


def option(name: str, value: object) -> tuple[str, object]:
    """Return a criterion's or injector's option as code takes it: ``within: 5s`` becomes ``within_s=5.0``.

    A duration adds ``_s`` to the name, a rate ``_per_s``, a share nothing (0 to 1); all else stays as it is.
    """
    key = name.replace("-", "_")
    if isinstance(value, str):
        for parse, suffix in ((duration_s, "_s"), (rate_per_s, "_per_s"), (share, "")):
            try:
                return key + suffix, float(parse(value))
            except UnitError:
                continue
    return key, value
