"""Who is told of a verdict: without secrets, and whatever becomes of it, the verdict stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import histories
import pytest

from chaos_hooks import notification
from reports import writing


class Receiver(ThreadingHTTPServer):
    """Takes what is sent, and answers with a status."""

    def __init__(self) -> None:
        self.status, self.got = 204, list[tuple[str, bytes]]()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append((self.headers["Content-Type"], body))
        self.send_response(server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    told = histories.history(run_changes={"command": "locust --chaos-start-args '--password hunter2'"})
    folder = histories.keep(told, tmp_path / "run")
    writing.write_all(folder)
    return folder


def url(receiver: Receiver) -> str:
    return f"http://127.0.0.1:{receiver.server_port}/hook"


def test_the_url_gets_the_verdict_without_secrets(receiver: Receiver, run: Path) -> None:
    """The document of verdict.json, but for what looks like a secret; the run's own token is none."""
    assert notification.post(url(receiver), run) == ""

    ((kind, body),) = receiver.got
    document, kept = json.loads(body), json.loads((run / "verdict.json").read_text())
    assert kind == "application/json"
    assert b"hunter2" not in body
    assert document["run"].pop("command") != kept["run"].pop("command")
    assert document == kept


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_is_one_line_and_is_not_followed(receiver: Receiver, run: Path, status: int) -> None:
    """Not sent twice, not sent elsewhere."""
    receiver.status = status

    assert notification.post(url(receiver), run) == f"the verdict was not taken by 127.0.0.1: status {status}"
    assert len(receiver.got) == 1


def test_nobody_there_is_one_line_without_the_url(run: Path) -> None:
    """The path of a hook is a secret in itself."""
    problem = notification.post("http://127.0.0.1:9/services/S3CRET", run)

    assert problem.startswith("the verdict was not sent to 127.0.0.1: ")
    assert "S3CRET" not in problem


@pytest.mark.parametrize("bad", ["ftp://x/y", "no-url", "http://", "https://user:S3CRET@host/x"])
def test_a_bad_url_is_refused_and_not_repeated(bad: str) -> None:
    """Before anything begins."""
    assert notification.refused(bad).startswith("--chaos-notify-url: ")
    assert "S3CRET" not in notification.refused(bad)
    assert notification.refused("https://hooks.example/x") == ""


def test_a_job_summary_gets_the_markdown(run: Path, tmp_path: Path) -> None:
    """Added to what stands there; a file that cannot be written is one line."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")

    assert notification.summarise(run, {"GITHUB_STEP_SUMMARY": str(summary)}) == ""
    assert summary.read_text() == "before\n" + (run / "report.md").read_text() + "\n"
    assert notification.summarise(run, {}) == ""
    problem = notification.summarise(run, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert problem == "GITHUB_STEP_SUMMARY: not written: Is a directory"


def test_without_a_folder_nobody_is_told() -> None:
    """A run that could not begin has no verdict."""
    assert notification.tell("http://127.0.0.1:9/", None) == []
