"""What a command prints, to somebody who may read only its beginning."""

from __future__ import annotations

import contextlib
import os
import sys


def out(text: str) -> str:
    """Write to stdout; return no problem, or it as one line: who reads it may go away, as ``| head`` does."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as problem:
        with contextlib.suppress(OSError, ValueError):
            # Or Python would end with a code of its own when it flushes what is left.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return f"not printed whole: {problem.strerror}"
    return ""
