"""Traffic: bytes that proxies have read and written, and how Prometheus is told."""

from collections.abc import Mapping
from dataclasses import dataclass

_LABELS = ("direction", "proxy", "listener", "upstream")


@dataclass(slots=True)
class Traffic:
    """Bytes of one direction of a proxy, over all its connections."""

    received: int = 0
    sent: int = 0


class TrafficBook:
    """Every direction of every proxy that there was; a proxy that moves begins a new line."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, ...], Traffic] = {}

    def line(self, direction: str, proxy: str, listener: str, upstream: str) -> Traffic:
        """The line to count on."""
        return self._lines.setdefault((direction, proxy, listener, upstream), Traffic())

    def render(self) -> str:
        """Prometheus' text format 0.0.4, with Toxiproxy's names."""
        text = ""
        for what, words in (("received", "read from"), ("sent", "written to")):
            name = f"toxiproxy_proxy_{what}_bytes_total"
            text += f"# HELP {name} Bytes {words} the sockets of a proxy.\n# TYPE {name} counter\n"
            for values, traffic in sorted(self._lines.items()):
                labels = _labels(dict(zip(_LABELS, values, strict=True)))
                text += f"{name}{{{labels}}} {getattr(traffic, what)}\n"
        return text


def _labels(labels: Mapping[str, str]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    return ",".join(f'{name}="{escaped(value)}"' for name, value in sorted(labels.items()))
