"""Request bodies: from bytes and a content type to JSON values."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import yaml

from sandbox.kubernetes_api.resources import Object
from sandbox.kubernetes_api.status import bad_request, unsupported_media_type

LIMIT_BYTES = 3 * 1024 * 1024
"""The largest body taken, as in the real API server."""

JSON, YAML = "application/json", "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
"""What some clients send for core objects; it is refused with 415 wherever the body matters."""


class _JsonLoader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a value that looks like a date stays a text."""


_JsonLoader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def decode(content: bytes, content_type: str) -> Any:
    """The JSON value of a body in JSON or YAML; a missing content type means JSON.

    Raises ApiError 415 for another content type, 400 for a body that is not what it says.
    """
    kind = media_type(content_type)
    if kind not in ("", JSON, YAML):
        raise unsupported_media_type((JSON, YAML))
    return decode_yaml(content) if kind == YAML else decode_json(content)


def decode_json(content: bytes) -> Any:
    """The value of a JSON text. Raises ApiError 400."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not valid JSON: {error}") from error


def decode_yaml(content: bytes) -> Any:
    """The value of a YAML text that means JSON. Raises ApiError 400."""
    try:
        # S506 does not apply: the loader is a SafeLoader with one type less.
        value = yaml.load(content, Loader=_JsonLoader)
        return json.loads(json.dumps(value, allow_nan=False))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise bad_request(f"the body is not valid YAML: {error}") from error


def require_object(value: Any) -> Object:
    """The decoded body as an object. Raises ApiError 400 for any other JSON value."""
    if not isinstance(value, dict):
        raise bad_request("the body must be a JSON object")
    return value
