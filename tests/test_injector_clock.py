"""The clock backend: a file, and a Gateway that shows its offset or does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import injecting
import pytest
from injecting import Broken, fault, wait_until

from chaos_hooks.errors import SetupError
from shapes.target import Endpoints


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock"


@pytest.fixture
def gateway(file: Path) -> Iterator[str]:
    """The metrics of a Gateway that reads the file."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            offset = float(file.read_text() or 0) if file.exists() else 0.0
            text = (
                f"# TYPE gateway_clock_offset_seconds gauge\ngateway_clock_offset_seconds {offset}\n".encode()
            )
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/metrics"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("before", [None, "", "+3.0\n"])
def test_the_file_is_put_back_as_it_was(file: Path, gateway: str, before: str | None) -> None:
    """The Gateway's metric proves the bite; healing restores the text, or that there was none, and twice."""
    if before is not None:
        file.write_text(before)
    broken = Broken(Endpoints(clock_file=str(file), metrics_url=gateway), fault("clock", skew_s=65.0))
    assert (broken.effect.seen, file.read_text()) == (True, "+65.000\n")
    assert "gateway_clock_offset_seconds is 65, was " in broken.effect.evidence[1]
    for _ in range(2):
        assert broken.heal().evidence[-1] == "its watchdog was not needed"
        assert (file.read_text() if file.exists() else None) == before
    assert [path.name for path in file.parent.iterdir()] == ([] if before is None else ["clock"])


def test_a_clock_behind(file: Path, gateway: str) -> None:
    """A negative skew is a word for YAML, and a duration for us."""
    broken = Broken(Endpoints(clock_file=str(file), metrics_url=gateway), fault("clock", skew="-90s"))
    assert (broken.effect.seen, file.read_text()) == (True, "-90.000\n")
    broken.heal()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"metric": "other_metric"}, "not seen: the Gateway shows no other_metric"),
        ({"skew_s": 0.2}, "gateway_clock_offset_seconds was 0 before, so that it proves nothing"),
    ],
)
def test_without_proof_it_is_not_seen(file: Path, gateway: str, options: dict[str, Any], reason: str) -> None:
    """The file is written and read back, but that the Gateway took it is not claimed."""
    asked = fault("clock", **{"skew_s": 65.0, **options})
    broken = Broken(Endpoints(clock_file=str(file), metrics_url=gateway), asked)
    assert (broken.effect.seen, broken.effect.evidence[1]) == (False, reason)
    assert "clock holds '+" in broken.effect.evidence[0]
    broken.heal()


def test_no_metrics_address_no_wait(file: Path) -> None:
    """Where nobody can be asked, that is said at once."""
    broken = Broken(Endpoints(clock_file=str(file)), fault("clock", skew_s=1.0))
    assert broken.effect.evidence[1] == "not seen: the target has no metrics_url"
    broken.heal()


def test_a_killed_run_leaves_no_skew_behind(file: Path) -> None:
    """SIGKILL to the run: the watchdog puts the file back, and ends."""
    with injecting.killed_run(Endpoints(clock_file=str(file)), fault("clock", skew_s=65.0)):
        wait_until(lambda: not file.exists(), "the watchdog's heal")


def test_what_it_refuses(tmp_path: Path) -> None:
    """No file announced, no folder, wrong options: each with its reason."""
    assert "no clock_file" in injecting.why_not(Endpoints(), fault("clock", skew_s=1.0))
    nowhere = Endpoints(clock_file=str(tmp_path / "no" / "clock"))
    assert "cannot be written" in injecting.why_not(nowhere, fault("clock", skew_s=1.0))
    for options in ({}, {"skew_s": 1.0, "offset": 1}, {"skew": "65"}):
        with pytest.raises(SetupError, match=r"takes skew and metric|has no unit; write 65s"):
            injecting.why_not(Endpoints(), fault("clock", **options))


def test_a_folder_that_is_gone_took_the_file_along(tmp_path: Path) -> None:
    """A sandbox removes its files; a later sweep finds nothing, and that is fine."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    (folder / "clock").write_text("+1\n")
    broken = Broken(Endpoints(clock_file=str(folder / "clock")), fault("clock", skew_s=9.0))
    (folder / "clock").unlink()
    folder.rmdir()
    assert broken.backend.sweep(broken.undo) == "clock is gone with its folder"
