"""The bundle: all of a run in one zip, judged again to the same verdict, and no planted secret in it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import campaigns
import histories
import pytest
from rendered import FAIL

from reports import __main__ as command
from reports import bundle, writing
from reports.folder import FolderError
from reports.redaction import TAKEN_OUT, Redactor
from reports.verdict import judge

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SECRETS = (
    "hunter2-in-url",
    "hunter2-in-option",
    "hunter2-in-header",
    "hunter2-cookie",
    "hunter2-in-field",
    "hunter2-in-env-file",
    "hunter2-in-environment",
    "hunter2-of-the-key",
    "hunter2-bearer-0123",
    JWT,
)


def planted(folder: Path) -> Path:
    """Return a run with a secret in every place that could get one."""
    command_line = (
        "locust --chaos-prometheus-url http://admin:hunter2-in-url@prometheus:9090 "
        "--chaos-start-args '--redis-password hunter2-in-option'"
    )
    facts = {"redis_password": "hunter2-in-field", "note": f"id {JWT}"}
    told = histories.history(lost=(1,), run_changes={"command": command_line, "target_facts": facts})
    path = histories.keep(told, folder)
    (path / "logs").mkdir()
    (path / "logs/gateway.log").write_text(
        "POST / Authorization: Basic hunter2-in-header\n"
        '{"message": "in", "headers": {"X-Custom": "hunter2-cookie"}}\n'
        "env GATEWAY_API_KEY=hunter2-in-env-file PATH=/bin\n"
        "curl -H 'bearer hunter2-bearer-0123'\n"
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2-of-the-key\n-----END RSA PRIVATE KEY-----\n"
        "the value hunter2-in-environment on its own\n"
        "a harmless line: 200 tokens a second\n"
    )
    writing.write_all(path)
    return path


def unpacked(path: Path, into: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(into)
    return into


def test_no_secret_leaves_and_the_verdict_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords, headers, tokens, keys and the environment's own; the run's token, no secret, stays."""
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "hunter2-in-environment")
    run = planted(tmp_path / "run")
    there = b"".join(p.read_bytes() for p in run.rglob("*") if p.is_file())
    assert [s for s in SECRETS if s.encode() not in there] == []

    bundle.write(run, tmp_path / "run.zip")

    out = unpacked(tmp_path / "run.zip", tmp_path / "out")
    files = [p for p in out.rglob("*") if p.is_file()]
    assert [(p.name, s) for p in files for s in SECRETS if s.encode() in p.read_bytes()] == []
    assert "a harmless line: 200 tokens a second" in (out / "run/logs/gateway.log").read_text()
    before, after = (judge(writing.read_run(folder)) for folder in (run, out / "run"))
    assert after == before
    assert writing.read_run(out / "run").run.token == histories.TOKEN


def test_the_manifest_names_every_file_as_it_is(tmp_path: Path) -> None:
    """With size, SHA-256, and how many secrets it lost."""
    run = planted(tmp_path / "run")
    bundle.write(run, tmp_path / "run.zip")
    out = unpacked(tmp_path / "run.zip", tmp_path / "out")
    manifest = json.loads((out / bundle.MANIFEST).read_text())

    listed = {f["name"]: f for f in manifest["files"]}
    names = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    assert names == {*listed, bundle.MANIFEST}
    for name, about in listed.items():
        data = (out / name).read_bytes()
        assert (about["bytes"], about["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert listed["run/run.json"]["taken_out"] >= 3
    assert listed["run/truth.json"]["taken_out"] == 0


def test_what_is_no_text_is_packed_unless_it_seems_to_hold_a_secret(tmp_path: Path) -> None:
    """Nothing in it can be taken out without breaking it."""
    run = histories.keep(histories.history(), tmp_path / "run")
    (run / "columns.bin").write_bytes(b"\xff\x00\x01")
    (run / "dump.bin").write_bytes(b"\xff Authorization: Bearer abcdefghijklmnop")

    packed = {p.name: p for p in bundle.write(run, tmp_path / "run.zip")}

    assert (packed["run/columns.bin"].bytes, packed["run/columns.bin"].left_out) == (3, "")
    assert packed["run/dump.bin"].left_out == "is no text, and something in it looks like a secret"
    assert "run/dump.bin" not in zipfile.ZipFile(tmp_path / "run.zip").namelist()


def test_a_campaign_takes_its_runs_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And only those that lie beside it; by the command, as a user makes it."""
    folder = campaigns.keep(tmp_path / "runs", campaigns.ALL_PASS)
    out = tmp_path / "all.zip"

    assert command.main(["--format", "bundle", "--out", str(out), str(folder)]) == 0
    assert "0 secrets taken out" in capsys.readouterr().out
    tops = {name.split("/")[0] for name in zipfile.ZipFile(out).namelist()}
    assert tops == {folder.name, "redis-master-failure-run", "slow-api-run", bundle.MANIFEST}
    again = unpacked(out, tmp_path / "out")
    assert command.main([str(again / folder.name)]) == 0


def test_a_folder_that_is_no_run_is_no_bundle(tmp_path: Path) -> None:
    """Not everything that lies on a disk is to be packed."""
    (tmp_path / "home").mkdir()
    with pytest.raises(FolderError, match=r"name a run's folder"):
        bundle.write(tmp_path / "home", tmp_path / "home.zip")
    assert not (tmp_path / "home.zip").exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://user:pw@host/x", f"https://{TAKEN_OUT}@host/x"),
        ("--api-key abc --pace quick", f"--api-key {TAKEN_OUT} --pace quick"),
        ("--no-token --pace quick", "--no-token --pace quick"),
        ("token=k3x9", "token=k3x9"),
        ("<dd>Authorization: Basic YWJjZGVmZ2g=</dd>", f"<dd>Authorization: {TAKEN_OUT}</dd>"),
        ("the token bucket is empty", "the token bucket is empty"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ", TAKEN_OUT),
    ],
)
def test_what_is_taken_out(text: str, wanted: str) -> None:
    """The secret, and nothing around it; a second time takes nothing more."""
    redactor = Redactor(keep={"k3x9"}, environment={})
    assert redactor.text(text) == wanted
    count = redactor.count
    assert (redactor.text(wanted), redactor.count) == (wanted, count)


def test_an_honest_record_is_packed_as_it_is(tmp_path: Path) -> None:
    """Byte for byte: nothing in it looks like a secret."""
    run = histories.keep(FAIL, tmp_path / "run")
    writing.write_all(run)
    bundle.write(run, tmp_path / "run.zip")
    out = unpacked(tmp_path / "run.zip", tmp_path / "out")

    assert {p.name: p.read_bytes() for p in run.iterdir()} == {
        p.name: p.read_bytes() for p in (out / "run").iterdir()
    }
