"""Wire: one question to one loopback server, and its answer: a Redis command or an HTTP status.

Every question has a connection of its own and a timeout: the servers asked are killed and stopped on
purpose.
"""

import asyncio

from sandbox.ports import HOST

Reply = str | int | None | list["Reply"]


class WireError(Exception):
    """No whole answer came: refused, cut off, too late, or an error of the server itself."""


async def _read_reply(reader: asyncio.StreamReader) -> Reply:
    """One RESP2 reply; https://redis.io/docs/latest/develop/reference/protocol-spec/."""
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:].decode()
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if kind == b"$":
        if rest == "-1":
            return None
        return (await reader.readexactly(int(rest) + 2))[:-2].decode(errors="replace")
    if kind == b"*":
        return None if rest == "-1" else [await _read_reply(reader) for _ in range(int(rest))]
    raise WireError(f"answered {line.decode(errors='replace')!r}")


async def _ask(port: int, question: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(question)
    return reader, writer


async def redis_command(port: int, *words: str, timeout_s: float = 0.5) -> Reply:
    """The reply to one Redis command. Raises WireError."""
    question = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await _ask(port, question.encode())
            return await _read_reply(reader)
    except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
        raise WireError(f"{words[0]} on port {port}: {type(error).__name__}") from error
    finally:
        if writer is not None:
            writer.close()


async def redis_info(port: int, section: str) -> dict[str, str]:
    """One section of INFO as names and values. Raises WireError."""
    text = await redis_command(port, "INFO", section)
    if not isinstance(text, str):
        raise WireError(f"INFO on port {port}: no text")
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def http_status(port: int, path: str, timeout_s: float = 2.0) -> int:
    """The status of GET path. Raises WireError."""
    question = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await _ask(port, question.encode())
            words = (await reader.readuntil(b"\r\n")).split()
            return int(words[1])
    except (OSError, EOFError, TimeoutError, IndexError, ValueError, asyncio.LimitOverrunError) as error:
        raise WireError(f"GET {path} on port {port}: {type(error).__name__}") from error
    finally:
        if writer is not None:
            writer.close()


async def accepts_connections(port: int) -> bool:
    """Whether a TCP connection is accepted."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
