"""What each toxic does to real sockets, on connections from before and after it, and what healing gives."""

import errno
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import toxiproxy_server as servers
from toxiproxy_server import FaultProxy, client, echo, receive, round_trip_s


@pytest.fixture(scope="module")
def server() -> Iterator[FaultProxy]:
    with servers.running("--seed", "7") as running:
        yield running


@pytest.fixture
def port(server: FaultProxy) -> Iterator[int]:
    """The port of a proxy named echo, in front of an echo server."""
    with servers.serving(echo) as upstream:
        yield server.proxy("echo", upstream)
        server.done("DELETE", "/proxies/echo")


def is_silent(connection: socket.socket, for_s: float = 0.3) -> bool:
    """Whether nothing comes, not even an end."""
    connection.settimeout(for_s)
    try:
        data = connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(servers.DEADLINE_S)
    raise AssertionError(f"not silent: {data!r}")


@pytest.mark.parametrize(
    ("stream", "attributes", "least_s", "most_s"),
    [
        ("downstream", {"latency": 100}, 0.0990, 0.1),
        ("upstream", {"latency": 60, "jitter": 20}, 0.0390, 0.08),
        ("upstream", {"latency": -5}, 0.0, 0.0),
    ],
)
def test_latency(
    server: FaultProxy, port: int, stream: str, attributes: dict[str, int], least_s: float, most_s: float
) -> None:
    """Never earlier than asked for, on old and new connections; gone with the toxic."""
    with client(port) as old:
        round_trip_s(old)
        name = server.toxic("echo", "latency", stream, **attributes)
        with client(port) as new:
            for times_s in ([round_trip_s(old) for _ in range(5)], [round_trip_s(new) for _ in range(5)]):
                assert least_s <= min(times_s) <= most_s + 2
        server.done("DELETE", f"/proxies/echo/toxics/{name}")
        assert min(round_trip_s(old) for _ in range(5)) < 0.03


def test_latencies_add_up_and_do_not_narrow(server: FaultProxy, port: int) -> None:
    """Both streams' latencies are waited for; much data takes the time of one latency, not of one a chunk."""
    server.toxic("echo", "latency", "upstream", latency=50)
    server.toxic("echo", "latency", "downstream", latency=70)
    with client(port) as connection:
        assert 0.118 <= round_trip_s(connection) < 3
        data = bytes(range(256)) * 4096
        sender = threading.Thread(target=connection.sendall, args=(data,))
        began_s = time.monotonic()
        sender.start()
        assert receive(connection, len(data)) == data
        assert 0.118 <= time.monotonic() - began_s < 5  # 16 or more chunks, one after another: 2 s and more
        sender.join()


def test_reset_releases_what_is_held(server: FaultProxy, port: int) -> None:
    """/reset is the end of every toxic, and what a latency of a minute holds comes at once."""
    with client(port) as connection:
        round_trip_s(connection)
        server.toxic("echo", "latency", latency=60_000)
        connection.sendall(b"held")
        assert is_silent(connection)
        assert server.ask("POST", "/reset").status_code == 204
        assert receive(connection, 4) == b"held"


@pytest.mark.parametrize("rate", [200, 2000])
def test_bandwidth(server: FaultProxy, port: int, rate: int) -> None:
    """So many thousand bytes a second, over 0.5 s; a kilobyte is 1000 bytes."""
    server.toxic("echo", "bandwidth", rate=rate)
    data = bytes(rate * 500)
    with client(port) as connection:
        began_s = time.monotonic()
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert receive(connection, len(data)) == data
        assert 0.49 <= time.monotonic() - began_s < 3
        sender.join()


def test_bandwidth_zero_is_a_partition_that_heals(server: FaultProxy, port: int) -> None:
    """Both ways 0: connecting works, nothing comes, nothing ends; after the heal all is there, in order."""
    with client(port) as old:
        round_trip_s(old)
        names = [server.toxic("echo", "bandwidth", stream, rate=0) for stream in ("upstream", "downstream")]
        new = client(port)
        for number, connection in enumerate((old, new)):
            connection.sendall(b"first %d," % number)
            assert is_silent(connection)
            connection.sendall(b"second")
        gone = client(port)
        gone.sendall(b"said by one who left")
        gone.close()
        for name in names:
            server.done("DELETE", f"/proxies/echo/toxics/{name}")
        for number, connection in enumerate((old, new)):
            assert receive(connection, 14) == b"first %d,second" % number
        new.close()


def test_what_a_client_said_before_it_left_arrives_after_the_heal(server: FaultProxy) -> None:
    """A request that timed out is not a request that was not made: it is delivered late."""
    heard: list[bytes] = []
    ended = threading.Event()

    def listen(connection: socket.socket) -> None:
        while data := connection.recv(1000):
            heard.append(data)
        ended.set()

    with servers.serving(listen) as upstream:
        port = server.proxy("late", upstream)
        server.toxic("late", "bandwidth", "upstream", rate=0)
        with client(port) as connection:
            connection.sendall(b"INCR counter")
            assert is_silent(connection)
        assert not heard
        server.done("DELETE", "/proxies/late/toxics/bandwidth_upstream")
        assert ended.wait(servers.DEADLINE_S)
        assert b"".join(heard) == b"INCR counter"
        server.done("DELETE", "/proxies/late")


def test_timeout_swallows_and_its_removal_closes(server: FaultProxy, port: int) -> None:
    """Timeout 0 is a black hole; with it go the connections that it had a part in."""
    with client(port) as old:
        round_trip_s(old)
        name = server.toxic("echo", "timeout", timeout=0)
        with client(port) as new:
            for connection in (old, new):
                connection.sendall(b"lost")
                assert is_silent(connection)
            server.done("DELETE", f"/proxies/echo/toxics/{name}")
            assert [old.recv(1), new.recv(1)] == [b"", b""]
    with client(port) as after:
        round_trip_s(after)


def test_timeout_closes_idle_connections(server: FaultProxy, port: int) -> None:
    """After the time without data, also on a connection that was there before."""
    with client(port) as connection:
        round_trip_s(connection)
        began_s = time.monotonic()
        server.toxic("echo", "timeout", timeout=200)
        assert connection.recv(1) == b""
        assert 0.19 <= time.monotonic() - began_s < 5


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_reset_peer_is_a_real_reset(server: FaultProxy, port: int, stream: str) -> None:
    """RST, not FIN, on old and new connections, with the first data and not before."""
    with client(port) as old:
        round_trip_s(old)
        server.toxic("echo", "reset_peer", stream, timeout=0)
        with client(port) as new:
            assert is_silent(old, 0.1)
            for connection in (old, new):
                connection.sendall(b"hello")
                with pytest.raises(OSError) as caught:
                    connection.recv(1)
                assert caught.value.errno == errno.ECONNRESET


def test_limit_data_is_exact(server: FaultProxy, port: int) -> None:
    """So many bytes come, then the end."""
    server.toxic("echo", "limit_data", bytes=1000)
    with client(port) as connection:
        connection.sendall(bytes(900))
        assert len(receive(connection, 900)) == 900
        connection.sendall(bytes(900))
        assert len(receive(connection, 900)) == 100


def test_slicer_makes_pieces(server: FaultProxy, port: int) -> None:
    """One write arrives in many pieces of about the average size, whole."""
    server.toxic("echo", "slicer", average_size=100, size_variation=20, delay=3000)
    with client(port) as connection:
        data = bytes(range(250)) * 4
        connection.sendall(data)
        pieces = []
        while sum(map(len, pieces)) < len(data):
            pieces.append(connection.recv(65536))
        assert b"".join(pieces) == data
        assert len(pieces) >= 4  # 8 to 16 on an idle machine; a slow reader finds some joined


def test_slow_close_delays_the_end_only(server: FaultProxy) -> None:
    """Data is there at once, its end later."""
    with servers.serving(lambda connection: connection.sendall(b"all of it")) as upstream:
        port = server.proxy("slow", upstream)
        server.toxic("slow", "slow_close", delay=300)
        with client(port) as connection:
            assert receive(connection, 9) == b"all of it"
            began_s = time.monotonic()
            assert connection.recv(1) == b""
            assert 0.25 <= time.monotonic() - began_s < 5
        server.done("DELETE", "/proxies/slow")


def test_toxicity_is_a_part_of_the_connections(server: FaultProxy, port: int) -> None:
    """At 0.5 some of 60 connections are hit and some are not; at 0 none, at 1 all."""

    def hit() -> int:
        count = 0
        for _ in range(60):
            with client(port) as connection:
                connection.sendall(b"x")
                count += connection.recv(1) == b""
        return count

    server.toxic("echo", "limit_data", toxicity=0, bytes=0)
    assert hit() == 0
    server.done("POST", "/proxies/echo/toxics/limit_data_downstream", {"toxicity": 0.5})
    assert 10 <= hit() <= 50  # outside by chance: once in ten million
    server.done("POST", "/proxies/echo/toxics/limit_data_downstream", {"toxicity": 1})
    assert hit() == 60


def test_disabled_is_closed(server: FaultProxy, port: int) -> None:
    """Living connections end, new ones are refused; enabled it is there again, on the same port."""
    with client(port) as connection:
        round_trip_s(connection)
        server.done("PATCH", "/proxies/echo", {"enabled": False})
        assert connection.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            client(port)
        server.done("PATCH", "/proxies/echo", {"enabled": True})
    with client(port) as connection:
        round_trip_s(connection)


def test_dead_upstream(server: FaultProxy) -> None:
    """The proxy accepts, and the connection ends at once."""
    port = server.proxy("dead", servers.free_port())
    with client(port) as connection:
        assert connection.recv(1) == b""
    server.done("DELETE", "/proxies/dead")


def test_metrics_count_bytes_as_they_flow(server: FaultProxy, port: int) -> None:
    """Both streams, while the connection lives."""
    with client(port) as connection:
        round_trip_s(connection, bytes(1234))
        text = server.ask("GET", "/metrics").text
        for stream in ("upstream", "downstream"):
            line = next(
                line
                for line in text.splitlines()
                if line.startswith("toxiproxy_proxy_sent_bytes_total{") and f'"{stream}"' in line
                and f'listener="127.0.0.1:{port}",proxy="echo"' in line
            )  # fmt: skip
            assert line.endswith(" 1234")


def test_cost_of_a_round_trip(server: FaultProxy, port: int) -> None:
    """Without toxics the proxy costs far less than any scenario measures: no segment waits for an ACK."""
    with client(port) as connection:
        assert statistics.median(round_trip_s(connection) for _ in range(200)) < 0.01


def test_config_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    """The proxies of the file are there when the API is; a file that cannot be used ends the start."""
    file = tmp_path / "proxies.json"
    port = servers.free_port()
    file.write_text(f'[{{"name": "one", "listen": "127.0.0.1:{port}", "upstream": "127.0.0.1:1"}}]')
    with servers.running("--config", str(file)) as running:
        assert running.done("GET", "/proxies")["one"]["listen"] == f"127.0.0.1:{port}"
    file.write_text('[{"name": "one"}]')
    with (
        pytest.raises(AssertionError, match=r"ended with 1: .*proxy 1: missing required field: upstream"),
        servers.running("--config", str(file)),
    ):
        pass
