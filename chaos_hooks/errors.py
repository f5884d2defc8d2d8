"""What ends a run before or while it goes, as sentences a user can act on."""

from __future__ import annotations


class SetupError(Exception):
    """The run cannot begin; the message is one sentence with place and mend."""


class RecordError(Exception):
    """The disk does not take the record; what was written so far stays."""
