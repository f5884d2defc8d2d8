"""What cannot begin is refused with one sentence, on standard error, and exit code 2."""

from __future__ import annotations

import socket
import sys

CODE = 2


def say(sentence: str) -> int:
    """Print the sentence; return the exit code."""
    print(f"alertstorm: {sentence}", file=sys.stderr)
    return CODE


def taken_port(host: str, port: int) -> str:
    """Return why the web UI cannot listen there, where Locust itself would end in a traceback; empty if it
    can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("" if host == "*" else host, port))
        except OSError as problem:
            return f"--web-port: {host}:{port}: {problem.strerror}; name another port or host"
    return ""
