"""The fault proxy answers 108 recorded requests as Toxiproxy 2.12.0 did; what is not equal is named here."""

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toxiproxy_server

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "toxiproxy-2.12.0-api-transcript.json").read_text()
)["exchanges"]

# Normalised: the recorded ports are exchanged for free ones of the same length, in requests and in answers.
API_PORT = "18474"
PORTS = ("26379", "26380", "26381", "26382", "26390", "26401", "26402", "26403")
# Normalised: a port that the server was asked to choose. These requests name no port, or port 0.
CHOSEN_PORT = re.compile(r'("listen":"(?:127\.0\.0\.1|\[::\])):\d+"')
ASKS_FOR_ANY_PORT = {21, 26, 27, 30}

# Not equal, and why. Status and all other headers are compared for these too.
METRICS_OF_GO = {
    106,
    107,
}  # Goroutines and Go's garbage collector do not exist here; ours are the proxies' bytes.
CUT_SHORT = {73, 87}  # The recording ends with "..."; what there is of it, and the length, are compared.


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


def send(port: int, request: dict[str, Any], translate: dict[str, str]) -> Answer:
    """One request, as recorded but for the ports; the answer with the recorded ports in it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = request["body"]
    for recorded, used in translate.items():
        body = body.replace(recorded, used) if body else body
    connection.request(request["method"], request["path"], body=body, headers=request["headers"] or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    for recorded, used in translate.items():
        text = text.replace(used, recorded)
    connection.close()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)


@pytest.fixture(scope="module")
def answers() -> Iterator[list[Answer]]:
    """All requests, in their order, sent to one fresh server."""
    with toxiproxy_server.running() as server:
        yield replay(server.port)


def replay(api_port: int) -> list[Answer]:
    """Send all recorded requests, in their order, with free ports in the place of the recorded ones."""
    translate = {API_PORT: str(api_port)}
    for port in PORTS:
        while (used := str(toxiproxy_server.free_port())) in translate.values():
            pass
        translate[port] = used
    return [send(api_port, exchange["request"], translate) for exchange in EXCHANGES]


def test_the_recording_is_whole() -> None:
    """No exchange is left out, and each exception above is about an exchange of its kind."""
    assert len(EXCHANGES) == 108
    assert {n for n, e in enumerate(EXCHANGES) if e["request"]["path"] == "/metrics"} == METRICS_OF_GO
    cut = {n for n, e in enumerate(EXCHANGES) if e["body"].endswith("...")}
    assert cut == CUT_SHORT | METRICS_OF_GO
    chosen = {n for n, e in enumerate(EXCHANGES) if any_port(e)}
    assert chosen == ASKS_FOR_ANY_PORT


def any_port(exchange: dict[str, Any]) -> bool:
    """Whether a proxy was made that left the choice of its port to the server."""
    if exchange["status"] != 201 or exchange["request"]["path"] != "/proxies":
        return False
    sent = {k.lower(): v for k, v in json.JSONDecoder().raw_decode(exchange["request"]["body"])[0].items()}
    return str(sent.get("listen", ":0")).endswith(":0")


@pytest.mark.parametrize("number", range(len(EXCHANGES)))
def test_exchange(number: int, answers: list[Answer]) -> None:
    """Status, every recorded header and the body, byte for byte."""
    compare(number, answers[number])


def compare(number: int, answer: Answer) -> None:
    """Hold an answer against the recorded one."""
    recorded = EXCHANGES[number]
    assert answer.status == recorded["status"]
    for name, value in recorded["headers"].items():
        if name == "x-toxiproxy-request-id":  # Another for each request: 20 characters where there is one.
            assert (name in answer.headers) == (value is not None)
            assert value is None or len(answer.headers[name]) == 20
        else:
            assert answer.headers.get(name) == value, name
    if number in METRICS_OF_GO:
        assert answer.body.startswith("# HELP toxiproxy_proxy_received_bytes_total ")
    elif number in CUT_SHORT:
        whole = recorded["body"].removesuffix("...")
        assert answer.body[: len(whole)] == whole
    elif number in ASKS_FOR_ANY_PORT:
        assert CHOSEN_PORT.sub(r"\1:0", answer.body) == CHOSEN_PORT.sub(r"\1:0", recorded["body"])
    else:
        assert answer.body == recorded["body"]
