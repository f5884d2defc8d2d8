"""One component and the small HTTP server, with real sockets and processes but no sandbox around them."""

import asyncio
import itertools
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sandbox import component, http_server, ports, readiness
from sandbox.component import Component, NotObeyed, NotReady, Spec
from sandbox.http_server import Request, Response
from sandbox.processes import Launch


async def with_server(
    handler: Callable[[Request], Awaitable[Response]], use: Callable[[int], Awaitable[object]]
) -> object:
    """What `use` returns, given the port of a server with this handler."""
    picker = ports.Ports()
    port = picker.pick()
    server = await http_server.serve(handler, socket.create_server((ports.HOST, port)))
    try:
        return await use(port)
    finally:
        server.close()
        picker.close()


@pytest.mark.parametrize(
    ("statuses", "lack"),
    [
        ({"/readyz": 200}, None),
        ({"/readyz": 503, "/ready": 200}, "GET /readyz answers 503"),
        ({"/ready": 200}, None),
        ({"/ready": 500}, "GET /ready answers 500"),
        ({}, None),
    ],
)
def test_when_a_gateway_is_ready(statuses: dict[str, int], lack: str | None) -> None:
    """/readyz decides, /ready where it is unknown; a Gateway that knows neither is ready when it accepts."""

    async def handler(request: Request) -> Response:
        return Response(statuses.get(request.path, 404), {})

    assert asyncio.run(with_server(handler, readiness.gateway_lacks)) == lack


@pytest.mark.parametrize(
    ("request_bytes", "status", "error"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 200, None),
        (b"POST /x?y=1 HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody", 200, None),
        (b"nonsense\r\n\r\n", 400, "the request line is not METHOD PATH VERSION"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "chunked bodies are not read"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length '-1' is not a number"),
        (b"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 400, "Content-Length '65537' is not a number"),
        (b"GET /boom HTTP/1.1\r\n\r\n", 500, "GET /boom: RuntimeError: boom"),
    ],
)
def test_http_requests(request_bytes: bytes, status: int, error: str | None) -> None:
    """Every request has an answer that says what is wrong with it, also when the handler itself fails."""

    async def handler(request: Request) -> Response:
        if request.path == "/boom":
            raise RuntimeError("boom")
        return Response(200, {"method": request.method, "path": request.path, "body": request.body.decode()})

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection(ports.HOST, port)
        writer.write(request_bytes)
        answer = await reader.read()
        writer.close()
        return answer

    answer = asyncio.run(with_server(handler, ask))
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert error is None or error in json.loads(body)["error"]
    if request_bytes.startswith(b"POST /x"):
        assert json.loads(body) == {"method": "POST", "path": "/x", "body": "body"}


def shell_spec(folder: Path, script: str, lack: str | None = None, failing: tuple[int, ...] = ()) -> Spec:
    """A component that runs a shell script; the starts of these numbers fail. Ready: 'up' in its log."""
    log = folder / "shell.log"
    numbers = itertools.count(1)

    async def launch() -> Launch:
        if next(numbers) in failing:
            raise OSError("no more processes")
        return Launch(("/bin/sh", "-c", script), {"PATH": os.environ["PATH"]})

    async def lacks() -> str | None:
        return lack or (None if "up" in log.read_text() else "is not up")

    return Spec("shell", "shell", 20000, log, launch, lacks)


async def reap(shell: Component) -> None:
    """Play the supervisor for one death."""
    pid = shell.pid
    assert pid is not None
    while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:
        await asyncio.sleep(0.001)
    shell.died(os.waitstatus_to_exitcode(found[1]))


def test_not_ready_in_time(tmp_path: Path) -> None:
    """The error says what was missing, and the last lines of this life, not of an earlier one."""
    (tmp_path / "shell.log").write_text("from an earlier life\n")

    async def run() -> str:
        shell = Component(shell_spec(tmp_path, "echo one; echo two; exec sleep 600", lack="is not in sync"))
        await shell.start()
        with pytest.raises(NotReady) as caught:
            await shell.wait_ready(0.3)
        assert shell.pid is not None
        os.killpg(shell.pid, signal.SIGKILL)
        await reap(shell)
        return str(caught.value)

    error = asyncio.run(run())
    assert error.startswith("shell: not ready within 0.3 s: is not in sync; ")
    assert "earlier life" not in error


def test_a_signal_that_is_not_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM to a server that ignores it is an error with a mend; the lease stands, and SIGKILL helps."""
    monkeypatch.setattr(component, "DEATH_WAIT_S", 0.1)

    async def run() -> None:
        shell = Component(shell_spec(tmp_path, "trap '' TERM; echo up; sleep 600"))
        await shell.start()
        await shell.wait_ready()
        with pytest.raises(NotObeyed, match=r"shell still runs 0.1 s after SIGTERM; mend: use KILL"):
            await shell.kill(signal.SIGTERM, 600)
        assert shell.lease is not None
        monkeypatch.setattr(component, "DEATH_WAIT_S", 30)
        death, _ = await asyncio.gather(shell.kill(signal.SIGKILL, 600), reap(shell))
        assert (death.code, death.by_control) == (-9, True)
        shell.close()

    asyncio.run(run())


def test_a_return_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lease is over the component comes back, though a start may fail."""
    monkeypatch.setattr(component, "RETRY_DELAY_S", 0.01)

    async def run() -> None:
        shell = Component(shell_spec(tmp_path, "echo up; exec sleep 600", failing=(2, 3)))
        await shell.start()
        await asyncio.gather(shell.kill(signal.SIGKILL, 0.01), reap(shell))
        async with asyncio.timeout(30):
            while shell.pid is None:
                await asyncio.sleep(0.001)
        assert (shell.starts, shell.lease) == (2, None)
        os.killpg(shell.pid, signal.SIGKILL)
        await reap(shell)
        shell.close()

    asyncio.run(run())
