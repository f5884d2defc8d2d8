"""Go JSON: reads and writes JSON as Go's encoding/json does, since clients of Toxiproxy meet its manners.

Keys are matched without regard to case, unknown ones are ignored, null changes nothing, what follows the
first value is not looked at, and a value of a wrong type is named with Go's names for types.
https://pkg.go.dev/encoding/json#Unmarshal
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.toxiproxy.errors import bad_body

_RANGES = {"int": 1 << 63, "int64": 1 << 63}
_LITERALS = {"n": "null", "t": "true", "f": "false"}
_SPACE = " \t\r\n"


class _Number(str):
    """A number that is no integer, as it was written."""


class _Constant(ValueError):
    """NaN or Infinity, which Python reads and JSON does not know."""


@dataclass(frozen=True, slots=True)
class Struct:
    """What a Go struct takes: the type's name, the name in errors about fields, and each field's Go type."""

    go_type: str
    field_prefix: str
    fields: Mapping[str, str]


def _constant(name: str) -> None:
    raise _Constant(name)


_DECODER = json.JSONDecoder(parse_float=_Number, parse_constant=_constant)


def parse(body: bytes) -> Any:
    """The first JSON value of the body; numbers with a point or an exponent stay text. Raises ApiError."""
    text = body.decode("utf-8", errors="replace").lstrip(_SPACE)
    if not text:
        raise bad_body("EOF")
    try:
        return _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise bad_body(_syntax(text, error)) from error
    except _Constant as error:
        raise bad_body(f"invalid character '{str(error)[0]}' looking for beginning of value") from error
    except RecursionError as error:
        raise bad_body("exceeded max depth") from error


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :]
    if not rest or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    literal = _LITERALS.get(rest[0])
    if literal is None or error.msg != "Expecting value":
        return f"invalid character '{rest[0]}' looking for beginning of value"
    for got, wanted in zip(rest[1:], literal[1:], strict=False):
        if got != wanted:
            return f"invalid character '{got}' in literal {literal} (expecting '{wanted}')"
    return "unexpected EOF"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | _Number):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _take(value: Any, go_type: str) -> Any:
    """The value as this Go type. Raises TypeError with the word that Go uses for what it got."""
    kind = _kind(value)
    if go_type == "string" and kind == "string":
        return value
    if go_type == "bool" and kind == "bool":
        return value
    if go_type == "float32" and kind == "number":
        return _float32(float(value))
    if go_type in _RANGES and kind == "number":
        if isinstance(value, _Number) or not -_RANGES[go_type] <= value < _RANGES[go_type]:
            raise TypeError(f"number {value}")
        return value
    if go_type.startswith("toxics.") and kind == "object":
        return value
    raise TypeError(kind)


def take_object(value: Any, shape: Struct) -> dict[str, Any]:
    """The fields that are there and not null, under their own names. Raises ApiError."""
    if not isinstance(value, dict):
        if value is None:
            return {}
        raise bad_body(f"json: cannot unmarshal {_kind(value)} into Go value of type {shape.go_type}")
    taken: dict[str, Any] = {}
    for key, item in value.items():
        field = key if key in shape.fields else key.lower()
        if field not in shape.fields or item is None:
            continue
        try:
            taken[field] = _take(item, shape.fields[field])
        except TypeError as error:
            place = f"{shape.field_prefix}.{field} of type {shape.fields[field]}"
            raise bad_body(f"json: cannot unmarshal {error} into Go struct field {place}") from error
    return taken


def take_array(value: Any, go_type: str) -> list[Any]:
    """The elements of an array; null is an empty one. Raises ApiError."""
    if isinstance(value, list):
        return value
    if value is None:
        return []
    raise bad_body(f"json: cannot unmarshal {_kind(value)} into Go value of type {go_type}")


def _float32(value: float) -> float:
    """The number as Go's float32 keeps and writes it: the shortest decimal that means the same float32."""
    try:
        kept = struct.pack("f", value)
    except OverflowError as error:
        raise TypeError(f"number {value}") from error
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == kept:
            return short
    return value


def render(value: Any) -> str:
    """JSON without spaces; <, > and & escaped, as Go does so that a browser finds no tag in it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def number(value: float) -> int | float:
    """1 and not 1.0: Go writes a whole float without a point."""
    return int(value) if value.is_integer() else value
