"""Namespace: a network of the sandbox's own, whose packets can be dropped, without root, and doors into it.

The keeper enters a new user and network namespace before it starts anything, so that all its children are in
there, on a loopback of their own. Doors are ports of the outer loopback, bound before: what connects to one
is relayed to the same port inside, so that an address means the same on both sides.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from sandbox.ports import HOST, Ports, require_free

HOST_NETWORK, NAMESPACE = "host", "namespace"
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_DOORS = 60  # Three tries of a world, each with fewer than twenty ports.
_PIECE = 65536


class NamespaceError(Exception):
    """This machine lets us have no namespace; the message says why, and the mend."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Bound sockets of the outer network, by their ports; `numbers` are those that anyone may pick."""

    sockets: dict[int, socket.socket]
    numbers: tuple[int, ...]

    async def open(self) -> None:
        """Relay what comes, on the running loop, for ever."""
        for port, door in self.sockets.items():
            await asyncio.start_server(_Relay(port), sock=door)


def enter(gateway_port: int | None) -> Doors:
    """Bind the doors, then move this process, which must have one thread, into a network of its own.

    Raises NamespaceError, PortError.
    """
    if gateway_port:
        require_free(gateway_port)
    ports = Ports()
    numbers = tuple(number for _ in range(_DOORS) if (number := ports.pick()) != gateway_port)
    doors = {}
    for number in (*numbers, *([gateway_port] if gateway_port else [])):
        doors[number] = socket.socket()
        doors[number].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        doors[number].bind((HOST, number))
    ports.close()
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        raise NamespaceError(_refused(os.strerror(ctypes.get_errno())))
    try:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        # Root in there, and nobody else: only so may another process of this user change its network.
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
        _raise_loopback()
    except OSError as error:
        raise NamespaceError(_refused(str(error))) from error
    return Doors(doors, numbers)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _refused(why: str) -> str:
    return (
        f"--network namespace: this machine lets us have none ({why}); mend: allow unprivileged user "
        f"namespaces (sysctl kernel.unprivileged_userns_clone, AppArmor), or use --network {HOST_NETWORK}"
    )


class _Relay:
    """Joins each connection at a door to the same port inside; refused there is a reset here."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            _reset(writer)
            return
        try:
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        except OSError:
            _reset(inner_writer)
            _reset(writer)
        finally:
            for end in (inner_writer, writer):
                with contextlib.suppress(OSError):
                    end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end, which is handed on: each direction ends by itself."""
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("socket")
    if peer is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
