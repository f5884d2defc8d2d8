"""The published Python client drives Toxiproxy's own server through the same tests as the sandbox's."""

from collections.abc import Iterator
from typing import Any

import pytest
import real_tools
import test_toxiproxy_client
import toxiproxy_server
from test_toxiproxy_client import *  # noqa: F403 - its tests, to be run on the real one.

pytestmark = real_tools.needs("toxiproxy-server")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """The client keeps the server's address for the whole process."""
    with toxiproxy_server.running(program=real_tools.find("toxiproxy-server")) as server:
        made = test_toxiproxy_client.toxiproxy.Toxiproxy()
        made.update_api_consumer("127.0.0.1", server.port)
        yield made


def test_server(client: Any) -> None:
    """It runs, and says its version: built from source it has none of its own."""
    assert client.running() is True
    assert client.version() == b'{"version": "git"}\n'
