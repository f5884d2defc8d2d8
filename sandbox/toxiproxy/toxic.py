"""Toxic: one fault on one stream of a proxy, its kinds and their attributes.

Units are those of Toxiproxy 2.12.0, https://github.com/Shopify/toxiproxy/tree/v2.12.0#toxics, so the names
have none here.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sandbox.toxiproxy import errors, go_json
from sandbox.toxiproxy.go_json import Struct

UPSTREAM = "upstream"  # from the client to the server
DOWNSTREAM = "downstream"


@dataclass(frozen=True, slots=True)
class Noop:
    """Does nothing."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Data comes later by latency milliseconds, give or take up to jitter milliseconds."""

    latency: int = 0
    jitter: int = 0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """At most rate kilobytes (of 1000 bytes) a second; 0 holds everything until the toxic goes."""

    rate: int = 0


@dataclass(frozen=True, slots=True)
class SlowClose:
    """The end of the stream comes later by delay milliseconds."""

    delay: int = 0


@dataclass(frozen=True, slots=True)
class Timeout:
    """Data is dropped; the connection is closed after timeout milliseconds without any, at 0 never."""

    timeout: int = 0


@dataclass(frozen=True, slots=True)
class ResetPeer:
    """A reset, timeout milliseconds after the first data; that data is dropped."""

    timeout: int = 0


@dataclass(frozen=True, slots=True)
class Slicer:
    """Data in pieces of average_size bytes, give or take size_variation, delay microseconds apart."""

    average_size: int = 0
    size_variation: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class LimitData:
    """The connection is closed after so many bytes."""

    bytes: int = 0


Attributes = Noop | Latency | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData
KINDS: dict[str, type[Attributes]] = {
    "noop": Noop,
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
}
_GO_NAMES: dict[type, str] = {ResetPeer: "ResetToxic"}
_CHANGE = Struct("toxics.Change", "", {"toxicity": "float32", "attributes": "toxics.NoopToxic"})
_WRAPPER = Struct(
    "toxics.ToxicWrapper",
    "ToxicWrapper",
    {
        "name": "string",
        "type": "string",
        "stream": "string",
        "toxicity": "float32",
        "attributes": "toxics.NoopToxic",
    },
)


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic; stream as it was sent, in whatever case; toxicity is the part of connections it is for."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Attributes

    @property
    def direction(self) -> str:
        """UPSTREAM or DOWNSTREAM."""
        return self.stream.lower()

    def described(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "attributes": asdict(self.attributes),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": go_json.number(float(self.toxicity)),
        }


def _attributes_shape(kind: type[Attributes]) -> Struct:
    go_name = _GO_NAMES.get(kind, f"{kind.__name__}Toxic")
    go_type = "int" if kind is Slicer else "int64"
    names = {field.name: go_type for field in fields(kind)}
    return Struct(f"toxics.{go_name}", f"{go_name}.attributes", names)


def from_body(body: bytes, taken_names: set[str]) -> Toxic:
    """A new toxic as the API takes it; the checks are made in Toxiproxy's order. Raises ApiError."""
    sent = go_json.take_object(go_json.parse(body), _WRAPPER)
    stream, type_ = sent.get("stream", DOWNSTREAM), sent.get("type", "")
    if stream.lower() not in (UPSTREAM, DOWNSTREAM):
        raise errors.invalid_stream()
    name = sent.get("name") or f"{type_}_{stream}"
    kind = KINDS.get(type_)
    if kind is None:
        raise errors.invalid_toxic_type()
    if name in taken_names:
        raise errors.toxic_exists()
    attributes = go_json.take_object(sent.get("attributes"), _attributes_shape(kind))
    return Toxic(name, type_, stream, sent.get("toxicity", 1.0), kind(**attributes))


def changed(toxic: Toxic, body: bytes) -> Toxic:
    """The toxic with the toxicity and those attributes that are sent; the rest stays. Raises ApiError."""
    sent = go_json.take_object(go_json.parse(body), _CHANGE)
    attributes = go_json.take_object(sent.get("attributes"), _attributes_shape(type(toxic.attributes)))
    return replace(
        toxic,
        toxicity=sent.get("toxicity", toxic.toxicity),
        attributes=replace(toxic.attributes, **attributes),
    )
