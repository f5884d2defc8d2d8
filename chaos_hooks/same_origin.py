"""Whether a request may come from where it comes from: what changes something, and what reads this tool."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_LOOPBACK = "localhost"


def refusal(headers: Mapping[str, str], host: str) -> str:
    """Return why a request that changes something is refused; empty if it may.

    A browser says in ``Origin`` whose page sends a POST, also through a form of a foreign page; one that does
    not is asked for its ``Referer``. What is no browser says neither, and is not what this guards against;
    but whoever brings cookies along and says neither is refused.

    Args:
        host: the host and port that the request was sent to, as its ``Host`` header has it.
    """
    site = headers.get("Sec-Fetch-Site", "")
    if site not in ("", "same-origin", "none"):
        return f"the request comes from another site's page (Sec-Fetch-Site: {site})"
    origin, referer = headers.get("Origin", ""), headers.get("Referer", "")
    source = origin or referer
    if source and urlsplit(source).netloc.lower() != host.lower():
        mend = "a proxy before it must pass Host on"
        return f"the request comes from a page of {_of(source)}, this is {host}; {mend}"
    if not source and not site and headers.get("Cookie"):
        return (
            f"the request brings cookies and does not say from which page; send Origin: http://{host} along"
        )
    return ""


def reading_refusal(headers: Mapping[str, str]) -> str:
    """Return why a request that only reads is refused: a foreign page's script asks, and not somebody who
    follows a link."""
    site, mode = headers.get("Sec-Fetch-Site", ""), headers.get("Sec-Fetch-Mode", "")
    if site in ("", "same-origin", "none") or mode == "navigate":
        return ""
    return f"the request comes from a script of another site's page (Sec-Fetch-Site: {site})"


def host_refusal(bound: str, host: str) -> str:
    """Return why a request is refused that was sent to a strange name: who listens on loopback alone is asked
    by no other, unless somebody gave another name this machine's address (DNS rebinding).

    Args:
        bound: the address that the UI listens on.
        host: as in `refusal`.
    """
    name = urlsplit(f"//{host}").hostname or ""
    if not _is_loopback(bound) or _is_loopback(name):
        return ""
    return (
        f"the UI listens on loopback, and was asked for as {name}; use localhost, or listen with --web-host"
    )


def _is_loopback(name: str) -> bool:
    if name == _LOOPBACK or name.endswith(f".{_LOOPBACK}"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _of(source: str) -> str:
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else source
