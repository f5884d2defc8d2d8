"""A plain TCP client that looks at one address as any client would, and tells what it saw, within a bound."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

ANSWERED, STALLED, REFUSED, RESET, UNREACHABLE = "answered", "stalled", "refused", "reset", "unreachable"
# The last question asks the server to close, so that the end of an answer needs no parser.
_QUESTIONS = {
    "redis": (b"PING\r\n", b"QUIT\r\n"),
    "http": (
        b"GET /version HTTP/1.1\r\nHost: probe\r\nAccept: */*\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n",
    ),
}
PROTOCOLS = tuple(_QUESTIONS)
_ANSWER_BYTES = {"redis": 7, "http": 150}  # of one question, at least: +PONG, a status line and some headers
_MOST_QUESTIONS = 20_000


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw. ``how``: answered (the server closed after at least a byte), closed without a byte
    counts as reset; stalled (nothing for the whole wait), refused, reset, unreachable. ``first_s`` and
    ``last_s`` are the seconds to the first and last byte, to the end without any.
    """

    how: str
    received_bytes: int
    pieces: int
    first_s: float
    last_s: float

    def __str__(self) -> str:
        got = f", {self.received_bytes} bytes" if self.received_bytes else ""
        return f"{self.how} after {self.last_s * 1000:.1f} ms{got}"


def enough(protocol: str, least_bytes: int) -> int:
    """Return how many questions make at least so many bytes in each direction."""
    each = min(len(_QUESTIONS[protocol][0]), _ANSWER_BYTES[protocol])
    return min(_MOST_QUESTIONS, least_bytes // each + 1)


def look(host: str, port: int, protocol: str, questions: int, wait_s: float) -> Sight:
    """Connect, ask, and read until the server closes, nothing comes for ``wait_s``, or it breaks.

    Args:
        questions: how many are sent at once, for faults that need some bytes to show.
    """
    plain, last = _QUESTIONS[protocol]
    began_s = time.monotonic()
    received, pieces, first_s, last_s = 0, 0, 0.0, 0.0

    def sight(how: str) -> Sight:
        end_s = time.monotonic() - began_s
        return Sight(how, received, pieces, first_s or end_s, last_s or end_s)

    try:
        with socket.create_connection((host, port), wait_s) as connection:
            connection.sendall(plain * (questions - 1) + last)
            while data := connection.recv(65536):
                pieces += 1
                received += len(data)
                last_s = time.monotonic() - began_s
                first_s = first_s or last_s
    except TimeoutError:
        return sight(STALLED)
    except ConnectionRefusedError:
        return sight(REFUSED)
    except (ConnectionError, BrokenPipeError):
        return sight(RESET)
    except OSError:
        return sight(UNREACHABLE)
    return sight(ANSWERED if received else RESET)
