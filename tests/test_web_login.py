"""Locust's own --web-login, by flask-login and a form as Locust's documentation has it: every page of this
tool is behind it, works after it, and what changes something is refused to foreign pages, login or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import histories
import pytest
import requests
from kubernetes_api_server import free_port
from locust_process import HOME, SHORT, Locust, locust, until

from reports import writing

PASSWORD = "planted-password"
OURS = (
    "/chaos",
    "/chaos/state",
    "/chaos/assets/live.js",
    "/chaos/runs/run/report.html",
    "/chaos/runs/run/verdict.json",
    "/metrics",
)
CHANGING = ("/chaos/stop", "/swarm", "/stop", "/stats/reset")
WAIT_S = 60.0


class Ui:
    """A Locust whose web UI wants a login."""

    def __init__(self, process: Locust, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/login", timeout=WAIT_S).status_code == 200
        except requests.ConnectionError:
            return False

    def signed_in(self) -> requests.Session:
        session = requests.Session()
        told = session.post(f"{self.url}/login_submit", data={"password": PASSWORD}, timeout=WAIT_S)
        assert told.status_code == 200, told.text
        return session

    def status(self, session: requests.Session, method: str, path: str, **headers: str) -> str:
        """Return the status, and of a redirect the page that it leads to."""
        told = session.request(
            method, self.url + path, headers=headers, timeout=WAIT_S, allow_redirects=False
        )
        to = told.headers.get("Location", "").removeprefix(self.url).split("?")[0]
        return f"{told.status_code} {to}".strip()


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    runs, port = tmp_path_factory.mktemp("login") / "runs", free_port()
    writing.write_all(histories.keep(histories.history(), runs / "run"))
    files = f"{HOME / 'locustfile.py'},{HOME / 'tests/data/login.py'}"
    env = {"CHAOS_TEST_SECRET": "planted-key", "CHAOS_TEST_PASSWORD": PASSWORD}
    arguments = ("-f", files, "--web-login", "--web-port", str(port), "--chaos-scenario", SHORT)
    with locust(runs, *arguments, env=env) as process:
        found = Ui(process, port)
        until(found.answers, process.output, WAIT_S)
        yield found


def test_without_login_every_page_leads_to_it(ui: Ui) -> None:
    """Also what is not there, so that nobody learns what is; nothing is started or stopped."""
    stranger = requests.Session()
    pages = {path: ui.status(stranger, "GET", path) for path in (*OURS, "/chaos/runs/none/report.html")}
    buttons = {path: ui.status(stranger, "POST", path, Origin=ui.url) for path in CHANGING}

    assert pages == dict.fromkeys(pages, "302 /login")
    assert buttons == dict.fromkeys(buttons, "302 /login")


def test_a_wrong_password_opens_nothing(ui: Ui) -> None:
    """The form leads back to itself, and its cookie to no page."""
    stranger = requests.Session()
    stranger.post(f"{ui.url}/login_submit", data={"password": "wrong"}, timeout=WAIT_S)

    assert ui.status(stranger, "GET", "/chaos/state") == "302 /login"


def test_after_the_login_every_page_works(ui: Ui) -> None:
    """And what is not there is 404, as without a login."""
    known = ui.signed_in()
    missing = ("/chaos/assets/none", "/chaos/runs/none/report.html", "/chaos/runs/run/run.json")

    assert {path: ui.status(known, "GET", path) for path in OURS} == dict.fromkeys(OURS, "200")
    assert {path: ui.status(known, "GET", path) for path in missing} == dict.fromkeys(missing, "404")
    assert "PASS" in known.get(f"{ui.url}/chaos", timeout=WAIT_S).text
    assert known.get(f"{ui.url}/chaos/state", timeout=WAIT_S).json()["busy"] is False
    assert ui.status(known, "POST", "/chaos/stop", Origin=ui.url) == "409"


@pytest.mark.parametrize("path", CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Referer": "http://evil.example/page"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {},
    ],
)
def test_a_foreign_page_changes_nothing_with_the_users_cookies(
    ui: Ui, path: str, headers: dict[str, str]
) -> None:
    """Nor does a request that has them and does not say where it comes from."""
    assert ui.status(ui.signed_in(), "POST", path, **headers) == "403"


def test_a_name_that_was_given_this_machines_address_is_no_way_in(ui: Ui) -> None:
    """By Host, even where the Origin fits it; neither to read nor to change."""
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}

    assert ui.status(requests.Session(), "POST", "/chaos/stop", **rebound) == "403"
    assert ui.status(requests.Session(), "GET", "/chaos/state", **rebound) == "403"


def test_it_listens_on_loopback_alone(ui: Ui) -> None:
    """By the kernel's table of this process's listening sockets; nobody gave it --web-host."""
    pid = ui.process.process.pid
    inodes = {p.readlink().name for p in Path(f"/proc/{pid}/fd").iterdir() if p.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1].split(":")[0])

    assert listening == ["0100007F"]
