"""The rules of `metadata`: names, generated names, labels, annotations, as the real server checks them."""

from __future__ import annotations

import random
import re
from typing import Any

from sandbox.kubernetes_api.resources import NAMESPACES, Object, Resource
from sandbox.kubernetes_api.status import Cause, bad_request, invalid

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ANNOTATIONS_LIMIT_BYTES = 256 * 1024
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_BASE_LIMIT = 58

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
    "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_KNOWN = {
    *("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("labels", "annotations", "ownerReferences", "finalizers", "managedFields"),
}


def is_label_value(value: str) -> bool:
    """Whether the text may be the value of a label: empty, or up to 63 characters of the allowed ones."""
    return len(value) <= 63 and (not value or _QUALIFIED.fullmatch(value) is not None)


def is_label_key(key: str) -> bool:
    """Whether the text may be the key of a label: an optional DNS prefix, a slash and a name of up to 63."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or _SUBDOMAIN.fullmatch(prefix) is None):
        return False
    return len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


def generated_name(base: str, source: random.Random) -> str:
    """`base` with five random characters, cut so that the whole fits a DNS label of 63."""
    return base[:_GENERATED_BASE_LIMIT] + "".join(source.choices(_SUFFIX_LETTERS, k=5))


def metadata_of(body: Object) -> Object:
    """The metadata of a request's body, a copy that may be written to. Raises ApiError 400 when misshapen."""
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    for member in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        if not isinstance(metadata.get(member) or "", str):
            raise bad_request(f"metadata.{member} must be a string")
    for member in ("labels", "annotations"):
        _require_text_map(metadata.get(member), f"metadata.{member}")
    finalizers = metadata.get("finalizers") or []
    if not isinstance(finalizers, list) or not all(isinstance(item, str) for item in finalizers):
        raise bad_request("metadata.finalizers must be a list of strings")
    return {member: value for member, value in metadata.items() if member in _KNOWN}


def require_known(resource: Resource, body: Object) -> None:
    """Raise ApiError 400 for members of the metadata that there are not, as strict field validation does;
    otherwise they are dropped in silence."""
    given = body.get("metadata")
    unknown = [member for member in (given if isinstance(given, dict) else {}) if member not in _KNOWN]
    if unknown:
        version = resource.api_version.rpartition("/")[2]
        listed = ", ".join(f'unknown field "metadata.{member}"' for member in unknown)
        raise bad_request(
            f'{resource.kind} in version "{version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {listed}"
        )


def _require_text_map(value: Any, place: str) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise bad_request(f"{place} must be a map of strings to strings")


def require_valid(resource: Resource, metadata: Object) -> None:
    """Raise ApiError 422 with one cause a wrong field, if the metadata breaks a rule."""
    name = metadata.get("name") or ""
    causes = [*_name_causes(resource, name), *_label_causes(metadata.get("labels") or {})]
    annotations = metadata.get("annotations") or {}
    size_bytes = sum(len(key.encode()) + len(text.encode()) for key, text in annotations.items())
    if size_bytes > _ANNOTATIONS_LIMIT_BYTES:
        text = f"Too long: may not be more than {_ANNOTATIONS_LIMIT_BYTES} bytes"
        causes.append(Cause("metadata.annotations", text, "FieldValueTooLong"))
    causes += [
        Cause("metadata.annotations", f'Invalid value: "{key}": not a qualified name')
        for key in annotations
        if not is_label_key(key.lower())
    ]
    if causes:
        raise invalid(resource, name, causes)


def _name_causes(resource: Resource, name: str) -> list[Cause]:
    if not name:
        text = "Required value: name or generateName is required"
        return [Cause("metadata.name", text, "FieldValueRequired")]
    if resource == NAMESPACES:
        limit, form, rule = 63, _LABEL, _LABEL_RULE
    else:
        limit, form, rule = 253, _SUBDOMAIN, _SUBDOMAIN_RULE
    causes = []
    if form.fullmatch(name) is None:
        causes.append(Cause("metadata.name", f'Invalid value: "{name}": {rule}'))
    if len(name) > limit:
        text = f'Invalid value: "{name}": must be no more than {limit} characters'
        causes.append(Cause("metadata.name", text))
    return causes


def _label_causes(labels: dict[str, str]) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        if not is_label_key(key):
            causes.append(Cause("metadata.labels", f'Invalid value: "{key}": {_KEY_RULE}'))
        if len(value) > 63:
            text = f'Invalid value: "{value}": must be no more than 63 characters'
            causes.append(Cause("metadata.labels", text))
        elif not is_label_value(value):
            causes.append(Cause("metadata.labels", f'Invalid value: "{value}": {_VALUE_RULE}'))
    return causes
