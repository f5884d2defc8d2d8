"""The server's end of one connection: reads whole requests, says bytes, ends well or badly."""

from __future__ import annotations

import select
import socket
import struct


class Peer:
    """The server's end of one connection; ``number`` counts them from 0."""

    def __init__(self, sock: socket.socket, number: int, delivered: list[str], argument: str) -> None:
        self.sock = sock
        self.number = number
        self.argument = argument
        self._delivered = delivered
        self._buffer = b""

    def request(self) -> bool:
        """Read a whole request and record it; return False if the connection ends before."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return False
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        while len(self._buffer) < length:
            if not self._more():
                return False
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        self._delivered.append(body[:40].decode())
        return True

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drain(self) -> None:
        """Record whatever requests still come, until the client closes."""
        while self.request():
            pass

    def fin(self) -> None:
        """End in order, unread bytes or not, and see what comes after."""
        self.sock.shutdown(socket.SHUT_WR)
        self.drain()

    def ignore(self) -> None:
        """Read nothing until the client closes."""
        watch = select.poll()
        watch.register(self.sock, select.POLLRDHUP)
        watch.poll()

    def rst(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _more(self) -> bytes:
        data = self.sock.recv(65536)
        self._buffer += data
        return data
