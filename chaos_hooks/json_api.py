"""One request to a JSON API that faults are asked of: its answer, or an error that says what came."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import requests

from chaos_hooks.injection import InjectionError

_TIMEOUT_S = 15.0


class Refused(InjectionError):
    """The API answered, and would not; ``status`` is its HTTP code."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def call(
    method: str, url: str, body: object = None, ok: Collection[int] = (200,), timeout_s: float = _TIMEOUT_S
) -> Any:
    """Return the decoded answer, None when it is empty.

    Raises:
        Refused: if the status is none of ``ok``; with the API's own sentence when it has one.
        InjectionError: if there was no answer, or no JSON in it.
    """
    place = f"{method} {urlsplit(url).path}"
    try:
        with requests.Session() as session:
            session.trust_env = False  # A proxy of the environment is not meant for these addresses.
            answer = session.request(method, url, json=body, timeout=timeout_s, allow_redirects=False)
        value = answer.json() if answer.content else None
    except requests.JSONDecodeError as problem:
        text = answer.text.strip()[:200]
        if answer.status_code not in ok:
            raise Refused(f"{place}: {answer.status_code}: {text}", answer.status_code) from problem
        raise InjectionError(f"{place}: answered {text!r}, wanted JSON") from problem
    except requests.RequestException as problem:
        raise InjectionError(f"{place}: {type(problem).__name__}") from problem
    if answer.status_code not in ok:
        said = value.get("error") if isinstance(value, dict) else None
        raise Refused(f"{place}: {said or answer.status_code}", answer.status_code)
    return value


def is_gone(problem: InjectionError) -> bool:
    """Return whether the API was not there at all: its process, and the faults in it, are over."""
    return isinstance(problem.__cause__, requests.ConnectionError)
