"""The emergency stop: a STOP file or a POST ends the run at once, and what was stopped never passes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import patched_process
import pytest
from locust_process import SHORT, alive, headless, locust, verdict

from chaos_hooks import emergency_stop, same_origin
from chaos_hooks.errors import SetupError
from reports import folder as run_folder


def test_a_stop_file_stands_in_the_way_and_none_does_not(tmp_path: Path) -> None:
    """A dangling link is there, too; a folder that is not there holds none."""
    assert emergency_stop.standing(tmp_path) == ""
    assert emergency_stop.standing(tmp_path / "none") == ""

    (tmp_path / "STOP").symlink_to("nowhere")

    assert emergency_stop.standing(tmp_path) == f"{tmp_path}/STOP: the emergency stop is there"
    with pytest.raises(SetupError, match="remove it when load and faults may go out again"):
        emergency_stop.refuse(tmp_path)


def test_who_cannot_look_stops(tmp_path: Path) -> None:
    """Whether it is there cannot be told of a loop of links: as good as there."""
    (tmp_path / "loop").symlink_to("loop")

    assert "cannot be looked for" in emergency_stop.standing(tmp_path / "loop")


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, ""),
        ({"Origin": "http://127.0.0.1:8089"}, ""),
        ({"Origin": "HTTPS://127.0.0.1:8089", "Sec-Fetch-Site": "same-origin"}, ""),
        ({"Origin": "http://evil.example"}, "page of http://evil.example"),
        ({"Origin": "http://127.0.0.1:9999"}, "page of http://127.0.0.1:9999"),
        ({"Origin": "null"}, "page of null"),
        ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
        ({"Origin": "http://127.0.0.1:8089", "Sec-Fetch-Site": "same-site"}, "same-site"),
        ({"Referer": "http://127.0.0.1:8089/chaos"}, ""),
        ({"Referer": "http://evil.example/a?b"}, "page of http://evil.example, this"),
        ({"Origin": "null", "Referer": "http://127.0.0.1:8089/chaos"}, "page of null"),
        ({"Cookie": "session=1", "Sec-Fetch-Site": "same-origin"}, ""),
        ({"Cookie": "session=1", "Referer": "http://127.0.0.1:8089/chaos"}, ""),
        ({"Cookie": "session=1"}, "brings cookies"),
    ],
)
def test_only_its_own_pages_and_programs_may_change_something(headers: dict[str, str], refused: str) -> None:
    """By what the browser says of the page that sends; the scheme may differ behind a proxy with TLS."""
    got = same_origin.refusal(headers, "127.0.0.1:8089")

    assert refused in got
    assert bool(got) == bool(refused)


@pytest.mark.parametrize(
    ("bound", "host", "refused"),
    [
        ("127.0.0.1", "127.0.0.1:8089", ""),
        ("127.0.0.1", "localhost:8089", ""),
        ("localhost", "[::1]:8089", ""),
        ("::1", "LOCALHOST", ""),
        ("127.0.0.1", "evil.example:8089", "asked for as evil.example"),
        ("127.0.0.1", "192.0.2.1", "asked for as 192.0.2.1"),
        ("127.0.0.1", "localhost.evil.example", "asked for as localhost.evil.example"),
        ("0.0.0.0", "chaos.example:8089", ""),
        ("", "chaos.example", ""),
    ],
)
def test_who_listens_on_loopback_answers_to_no_other_name(bound: str, host: str, refused: str) -> None:
    """Or a page whose name was given this machine's address would count as its own."""
    got = same_origin.host_refusal(bound, host)

    assert refused in got
    assert bool(got) == bool(refused)


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, False),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, True),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, True),
    ],
)
def test_a_foreign_page_leads_here_and_does_not_read(headers: dict[str, str], refused: bool) -> None:
    """Locust lets every site read its answers; a link is followed, a script's request is refused."""
    assert bool(same_origin.reading_refusal(headers)) == refused


def pressed() -> list[Any]:
    """Press the button of a stand-in web UI in turn: closed, foreign, idle, busy; return the answers."""
    import flask
    import gevent

    from chaos_hooks import web
    from chaos_hooks.live_chart import LiveChart

    closed, said = True, []

    def auth_required_if_enabled(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return ("log in", 401) if closed else view(*args, **kwargs)

        return wrapper

    app = flask.Flask("stand-in")
    options = SimpleNamespace(web_base_path="/load", chaos_runs_dir="/none")
    web_ui: Any = SimpleNamespace(
        app=app,
        environment=SimpleNamespace(parsed_options=options),
        auth_required_if_enabled=auth_required_if_enabled,
        template_args={},
    )
    busy = True
    run = SimpleNamespace(bench=SimpleNamespace(run_id="redis-1"))
    session: Any = SimpleNamespace(run=run, error="", is_busy=lambda: busy, stop=said.append)
    session.live = LiveChart()
    web.add_pages(web_ui, session)
    client = app.test_client()
    found: list[Any] = [client.post("/load/chaos/stop").status_code]
    closed = False
    found.append(client.post("/load/chaos/stop", headers={"Origin": "http://evil.example"}).status_code)
    found.append(client.get("/load/chaos/stop").status_code)
    busy = False
    found.append(client.post("/load/chaos/stop").status_code)
    assert not said
    busy = True
    done = client.post("/load/chaos/stop", headers={"Origin": "http://localhost"})
    gevent.sleep(0)
    return [*found, done.status_code, done.get_json(), said]


def test_the_route_is_behind_the_login_and_refuses_foreign_pages() -> None:
    """401 without login, 403 from elsewhere, 405 for a GET, 409 when nothing goes on, 202 when it stops."""
    told = ["emergency stop from the web UI"]

    assert patched_process.call("test_emergency_stop", "pressed") == [
        401,
        403,
        405,
        409,
        202,
        {"stopping": "redis-1"},
        told,
    ]


def test_a_stop_file_heals_at_once_and_the_run_is_interrupted(tmp_path: Path) -> None:
    """While the fault is on; no process stays, nothing passes, and until the file is gone nothing begins."""
    runs = tmp_path / "runs"
    with locust(runs, "--headless", "--chaos-scenario", SHORT) as process:
        process.wait_for("injected: redis-0")
        started = process.descendants()
        (runs / "STOP").touch()
        ended = process.wait()
        folder = process.run_folder()
    again = headless(runs)
    history = run_folder.read(folder)

    assert ended.code == 3, ended.output
    assert (history.ended, "the emergency stop is there" in history.ended_detail) == ("interrupted", True)
    assert verdict(folder)["state"] == "INVALID"
    assert "fault primary-down healed" in ended.output
    assert "primary-down" in history.injections[0].name
    assert history.injections[0].ended is not None
    assert history.injections[0].ended.latest_s < 7.0  # Its own end was planned for then.
    assert alive(started) == []
    assert (again.code, "STOP: the emergency stop is there; remove it" in again.output) == (2, True)


def test_a_run_that_is_stopped_after_its_load_does_not_pass_either(tmp_path: Path) -> None:
    """The load was whole, only the reading back goes on: nobody who stops a run wants it to pass."""
    runs, scenario = tmp_path / "runs", tmp_path / "long.yaml"
    scenario.write_text(Path(SHORT).read_text().replace("settle: 1s", "settle: 30s"))
    with locust(runs, "--headless", "--chaos-scenario", str(scenario), "--chaos-no-faults") as process:
        process.wait_for("settling")
        (runs / "STOP").touch()
        ended = process.wait()
        folder = process.run_folder()

    assert ended.code == 3, ended.output
    assert run_folder.read(folder).ended == "interrupted"
    assert verdict(folder)["state"] == "INVALID"
