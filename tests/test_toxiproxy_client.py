"""A published client of Toxiproxy drives ours with its public API, none of it written with ours in mind."""

from collections.abc import Iterator
from typing import Any

import pytest
import toxiproxy_server as servers

toxiproxy: Any = pytest.importorskip(
    "toxiproxy", reason="toxiproxy-python is not installed (pip install toxiproxy-python)"
)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """The client keeps the server's address for the whole process."""
    with servers.running() as server:
        made = toxiproxy.Toxiproxy()
        made.update_api_consumer("127.0.0.1", server.port)
        yield made


@pytest.fixture
def proxy(client: Any) -> Iterator[Any]:
    """A proxy in front of an echo server."""
    with servers.serving(servers.echo) as upstream:
        yield client.create(upstream=f"127.0.0.1:{upstream}", name="echo")
        client.destroy_all()
        assert client.proxies() == {}


def port_of(proxy: Any) -> int:
    return int(proxy.listen.split(":")[1])


def works(proxy: Any) -> bool:
    """Whether an echo comes back."""
    try:
        with servers.client(port_of(proxy), timeout_s=0.3) as connection:
            connection.sendall(b"x")
            return connection.recv(1) == b"x"
    except OSError:
        return False


def test_server(client: Any) -> None:
    """It runs, and says its version."""
    assert client.running() is True
    assert client.version() == b'{"version": "2.12.0"}\n'


def test_proxies(client: Any, proxy: Any) -> None:
    """Created, found, refused a second time, and destroyed."""
    assert (client.get_proxy("echo").listen, works(proxy)) == (proxy.listen, True)
    assert client.get_proxy("other") is None
    with pytest.raises(toxiproxy.exceptions.ProxyExists):
        client.create(upstream="127.0.0.1:1", name="echo")
    off = client.create(upstream="127.0.0.1:1", name="off", enabled=False)
    assert (off.enabled, client.get_proxy("off").enabled) == (False, False)
    assert client.destroy(off) is True
    assert client.destroy("off") is False
    assert set(client.proxies()) == {"echo"}


def test_down(proxy: Any) -> None:
    """Down while in the block, and up again on the same port."""
    with proxy.down():
        assert not works(proxy)
    assert works(proxy)


def test_toxics(proxy: Any) -> None:
    """Added with and without a name, found, felt, and destroyed; errors are those the client knows."""
    proxy.add_toxic(type="latency", attributes={"latency": 2, "jitter": 1})
    proxy.add_toxic(name="hole", type="timeout", stream="upstream", attributes={"timeout": 0})
    assert {name: (t.type, t.stream, t.attributes) for name, t in proxy.toxics().items()} == {
        "latency_downstream": ("latency", "downstream", {"latency": 2, "jitter": 1}),
        "hole": ("timeout", "upstream", {"timeout": 0}),
    }
    assert not works(proxy)
    assert proxy.destroy_toxic("hole") is True
    assert (proxy.get_toxic("hole"), works(proxy)) == (None, True)
    with pytest.raises(toxiproxy.exceptions.ProxyExists):
        proxy.add_toxic(type="latency")
    with pytest.raises(toxiproxy.exceptions.InvalidToxic):
        proxy.add_toxic(type="packet_loss")
    with pytest.raises(toxiproxy.exceptions.NotFound):
        proxy.destroy_toxic("hole")


def test_reset(client: Any, proxy: Any) -> None:
    """Everything is as if nothing had been done to it."""
    proxy.add_toxic(type="bandwidth", attributes={"rate": 0})
    proxy.disable()
    assert client.reset() is True
    assert (proxy.toxics(), works(proxy)) == ({}, True)


def test_populate(client: Any, proxy: Any) -> None:
    """Proxies that are there and equal stay; others are made anew."""
    ports = [servers.free_port() for _ in range(2)]
    first = {"name": "one", "upstream": "127.0.0.1:1", "listen": f"127.0.0.1:{ports[0]}"}
    assert [made.listen for made in client.populate([first])] == [first["listen"]]
    assert client.populate([first]) == []
    moved = first | {"listen": f"127.0.0.1:{ports[1]}"}
    assert [made.listen for made in client.populate([moved])] == [moved["listen"]]
    assert client.get_proxy("one").listen == moved["listen"]
