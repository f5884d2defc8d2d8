"""Whether a request that changes something may come from where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit


def refusal(headers: Mapping[str, str], host: str) -> str:
    """Return why a request is refused; empty if it may change something.

    A browser says in ``Origin`` whose page sends a POST, also through a form of a foreign page; what is no
    browser says nothing, and is not what this guards against: it sends no cookies of a user's either.

    Args:
        host: the host and port that the request was sent to, as its ``Host`` header has it.
    """
    site = headers.get("Sec-Fetch-Site", "")
    if site not in ("", "same-origin", "none"):
        return f"the request comes from another site's page (Sec-Fetch-Site: {site})"
    origin = headers.get("Origin", "")
    if origin and urlsplit(origin).netloc.lower() != host.lower():
        return (
            f"the request comes from a page of {origin}, this is {host}; a proxy before it must pass Host on"
        )
    return ""
