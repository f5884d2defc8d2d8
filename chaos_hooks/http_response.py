"""One HTTP/1 answer, fed as it arrives: tells exactly whether its header, and whether its body, is whole."""

from __future__ import annotations

import httptools

HEADER_CAP_BYTES = 64 * 1024
BODY_CAP_BYTES = 1024 * 1024


class HttpResponse:
    """The answer to one request; interim answers (1xx) before it are skipped.

    ``framed`` is False when only the connection's end can end the body (RFC 9112, section 6.3, rule 8), so
    that nobody can tell a whole body from a cut one.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.whole = False
        self.framed = False
        self.length: int | None = None  # What Content-Length says, where that frames the body.
        self._kept_alive = False
        self._surplus = False
        self._error = ""
        self._body = bytearray()
        self._header_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    @property
    def header_whole(self) -> bool:
        """Return whether the final answer's header block came to its end."""
        return self.status is not None

    @property
    def body(self) -> bytes:
        """Return what came of the body, at most BODY_CAP_BYTES."""
        return bytes(self._body[:BODY_CAP_BYTES])

    @property
    def reusable(self) -> bool:
        """Return whether another request may follow on this connection."""
        return self.whole and self._kept_alive and not self._surplus

    def feed(self, data: bytes) -> str:
        """Take bytes as they came; return why no more can be taken, or nothing."""
        if not self.header_whole:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            self._surplus = True
            # Whatever follows a whole answer does not make it less whole.
            self._error = self._error or ("" if self.whole else f"not HTTP: {problem}")
        if not self.header_whole and self._header_bytes > HEADER_CAP_BYTES:
            self._error = self._error or "header too large"
        return self._error

    def end(self) -> bool:
        """Take the connection's orderly end (a FIN, never a reset); return whether the answer is whole."""
        if self.header_whole and not self.framed and not self._error:
            self.whole = True
        return self.whole

    def on_message_begin(self) -> None:
        """Note bytes beyond the answer (called by the parser, as all below)."""
        self._surplus = self._surplus or self.whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note the fields that tell where the body ends."""
        field = name.lower()
        chunked = field == b"transfer-encoding" and value.lower().split(b",")[-1].strip() == b"chunked"
        if not self._surplus and (chunked or field == b"content-length"):
            self.framed = True
            self.length = None if chunked or not value.isdigit() else int(value)

    def on_headers_complete(self) -> None:
        """Note the status, unless it is an interim one."""
        if self._surplus:
            return
        status = self._parser.get_status_code()
        if status == 101:
            self._error = "switched protocols unasked"
        elif 100 <= status < 200:
            self.framed, self.length = False, None
        else:
            self.status = status
            self.framed = self.framed or status in (204, 304)

    def on_body(self, data: bytes) -> None:
        """Keep the body, up to the cap."""
        if self._surplus:
            return
        self._body += data
        if len(self._body) > BODY_CAP_BYTES:
            self._error = "body too large"

    def on_message_complete(self) -> None:
        """Note that the body is whole."""
        if self.header_whole and not self._surplus and not self._error:
            self.whole = True
            self._kept_alive = self._parser.should_keep_alive()
