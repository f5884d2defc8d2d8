"""The throttling webhook as a cluster runs it: its files alone, asked over TLS by an API server."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import injecting
import pytest
import strict_kinds
import yaml
from fake_admission import AdmittingServer
from injecting import Broken, fault, wait_until
from kubernetes import client
from kubernetes.client import ApiException
from small_server import serving

from chaos_hooks import injection, json_api
from chaos_hooks.clock import RunClock
from chaos_hooks.errors import SetupError
from shapes import scenario
from shapes.target import Endpoints

HOME = Path(__file__).resolve().parent.parent
PROGRAM = HOME / "chaos_hooks" / "throttling_webhook"
RESOURCE = ("remediation.kubernaut.io", "v1alpha1", "default", "remediationrequests")
GATEWAY = "system:serviceaccount:default:gateway"
DENIED = 'admission webhook "throttling.alertstorm.example.com" denied the request: '
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `certificate` makes, for the Service's name."""
    folder = tmp_path_factory.mktemp("tls")
    words = [sys.executable, "-m", "chaos_hooks.throttling_webhook", "certificate", str(folder)]
    done = subprocess.run(words, cwd=HOME, capture_output=True, text=True, check=True, timeout=60)
    assert [Path(line).name for line in done.stdout.split()] == [
        "tls.crt",
        "tls.key",
        "ca.crt",
        "webhook.yaml",
    ]
    return folder


class Webhook:
    """The running server; `endpoints` is what the harness is told of it."""

    def __init__(self, folder: Path, tls: Path) -> None:
        # As the ConfigMap mounts it: these files, an interpreter, and no installed package.
        mounted = folder / "chaos_hooks" / "throttling_webhook"
        shutil.copytree(PROGRAM, mounted, ignore=shutil.ignore_patterns("__pycache__"))
        where = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        words = ["-m", "chaos_hooks.throttling_webhook", "serve", *where]
        files = ["--cert", str(tls / "tls.crt"), "--key", str(tls / "tls.key")]
        self.process = subprocess.Popen(
            [sys.executable, "-S", *words, *files],
            cwd=folder,
            env={"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        host, _, port = told["reviews"].partition(":")
        self.address = (host, int(port))
        self.endpoints = Endpoints(faults_url=f"http://{told['control']}")

    def end(self) -> int:
        """End it, and return its exit code."""
        self.process.terminate()
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def webhook(tmp_path: Path, tls: Path) -> Iterator[Webhook]:
    running = Webhook(tmp_path, tls)
    yield running
    assert running.end() == 0


@contextmanager
def _api(webhook: Webhook, configuration: Path) -> Iterator[tuple[AdmittingServer, str]]:
    """An API server with that webhook configured, and its URL."""
    webhooks = yaml.safe_load(configuration.read_text())["webhooks"]
    server = AdmittingServer(webhooks, {"alertstorm-throttling": webhook.address})
    with serving(server.answer) as url:
        yield server, url


def _client(url: str, user: str = GATEWAY) -> client.CustomObjectsApi:
    settings = client.Configuration(host=url, api_key={"authorization": f"Bearer {user}"})
    settings.api_key = {"BearerToken": user}
    settings.api_key_prefix = {"BearerToken": "Bearer"}
    settings.retries = False
    return client.CustomObjectsApi(client.ApiClient(settings))


def _create(custom: client.CustomObjectsApi, name: str, **options: Any) -> Any:
    body = {"apiVersion": "remediation.kubernaut.io/v1alpha1", "kind": "RemediationRequest", "spec": {}}
    return custom.create_namespaced_custom_object(*RESOURCE, {**body, "metadata": {"name": name}}, **options)


def _refusal(custom: client.CustomObjectsApi, name: str = "x") -> tuple[int, str, str | None]:
    with pytest.raises(ApiException) as caught:
        _create(custom, name)
    body = json.loads(caught.value.body or "")
    assert (body["kind"], body["code"]) == ("Status", caught.value.status)
    headers: Any = caught.value.headers
    return body["code"], body["message"], headers.get("Retry-After")


def test_writes_of_the_gateway_are_429_while_the_fault_is_on(webhook: Webhook, tls: Path) -> None:
    """Before storage, with no Retry-After; reads, rehearsals and other users pass; then all pass again."""
    with _api(webhook, tls / "webhook.yaml") as (server, url):
        gateway, other = _client(url), _client(url, "kubernetes-admin")
        _create(gateway, "before")
        options = {"resource": "remediationrequests", "verbs": ["create", "update"], "status": 429}
        broken = Broken(webhook.endpoints, fault("throttle", name="throttled", **options))
        assert not broken.effect.seen
        told = f"{DENIED}fault throttled: asked for by a chaos run"
        assert _refusal(gateway) == (429, told, None)
        with pytest.raises(ApiException) as caught:
            gateway.replace_namespaced_custom_object(*RESOURCE, "before", server.objects["before"])
        assert caught.value.status == 429
        assert sorted(server.objects) == ["before"]
        _create(gateway, "rehearsed", dry_run="All")
        _create(other, "other")
        assert gateway.get_namespaced_custom_object(*RESOURCE, "before")
        assert sorted(server.objects) == ["before", "other"]
        healed = broken.heal()
        assert (healed.bit, healed.evidence[0].split(",")[0]) == (True, "switched off; 2 requests met it")
        _create(gateway, "after")
        assert sorted(server.objects) == ["after", "before", "other"]
        assert server.ignored == []
        assert broken.heal().bit is None


def test_retry_after_comes_when_it_is_asked_for(webhook: Webhook, tls: Path) -> None:
    """client-go would sleep it away, up to ten times; so it is the scenario's to say."""
    with _api(webhook, tls / "webhook.yaml") as (_, url):
        broken = Broken(webhook.endpoints, fault("throttle", status=429, retry_after_s=2.0))
        assert _refusal(_client(url))[2] == "2"
        broken.heal()
        broken = Broken(webhook.endpoints, fault("throttle", status=503))
        assert _refusal(_client(url))[0::2] == (503, None)
        assert broken.heal().bit


def test_only_so_many_and_only_what_is_meant(webhook: Webhook, tls: Path) -> None:
    """A burst ends by itself; other verbs and resources pass, and a fault that nothing met did not bite."""
    with _api(webhook, tls / "webhook.yaml") as (server, url):
        gateway = _client(url)
        broken = Broken(webhook.endpoints, fault("throttle", burst=2))
        assert [_refusal(gateway)[0] for _ in range(2)] == [429, 429]
        _create(gateway, "a")
        broken.heal()
        for options in ({"verbs": ["update"]}, {"resource": "pods"}):
            broken = Broken(webhook.endpoints, fault("throttle", **options))
            _create(gateway, f"b{len(server.objects)}")
            assert broken.heal().bit is False


def test_a_lease_that_is_over_lets_everything_pass(webhook: Webhook, tls: Path) -> None:
    """Whoever switched it on was killed and never comes back: the server needs nobody to end it."""
    with _api(webhook, tls / "webhook.yaml") as (_, url):
        gateway = _client(url)
        # With the margin of ten seconds: half a second.
        broken = Broken(webhook.endpoints, fault("throttle", for_s=-9.5, status=429))

        def passes() -> bool:
            try:
                return bool(_create(gateway, "x"))
            except ApiException as problem:
                if problem.status != 429:
                    raise
                return False

        wait_until(passes, "the lease is over")
        assert broken.heal().evidence[0].startswith("its lease was over before it was healed; ")


def test_a_server_that_is_gone_locks_nobody_out(tmp_path: Path, tls: Path) -> None:
    """failurePolicy Ignore: killed in the middle of a fault, all passes; a sweep says that it is gone."""
    running = Webhook(tmp_path, tls)
    with _api(running, tls / "webhook.yaml") as (server, url):
        broken = Broken(running.endpoints, fault("throttle", status=429))
        assert _refusal(_client(url))[0] == 429
        running.process.kill()
        running.end()
        _create(_client(url), "x")
        assert list(server.objects) == ["x"]
        assert server.ignored[0].startswith("ConnectionRefusedError")
        assert broken.backend.sweep(broken.undo) == "broken: the API that knew it is gone"


def test_without_the_ca_nothing_is_refused(webhook: Webhook, tls: Path) -> None:
    """The manifest as it is shipped trusts no certificate of ours; another's name is not trusted, either."""
    with _api(webhook, HOME / "manifests/throttling/webhook.yaml") as (server, url):
        Broken(webhook.endpoints, fault("throttle", status=429))
        _create(_client(url), "x")
        assert "CERTIFICATE_VERIFY_FAILED" in server.ignored[0]
        bundle = base64.b64encode((tls / "ca.crt").read_bytes()).decode()
        server.webhooks[0]["clientConfig"] = {
            "url": f"https://{webhook.address[0]}:{webhook.address[1]}/throttle",
            "caBundle": bundle,
        }
        _create(_client(url), "y")
        assert "IP address mismatch" in server.ignored[1]


def test_a_certificate_for_an_address_and_the_configuration_that_calls_it(tmp_path: Path) -> None:
    """For a webhook beside the load generator: an address in place of the Service, strictly valid."""
    words = [sys.executable, "-m", "chaos_hooks.throttling_webhook", "certificate", str(tmp_path / "tls")]
    subprocess.run([*words, "--host", "127.0.0.1"], cwd=HOME, capture_output=True, check=True, timeout=60)
    made = yaml.safe_load((tmp_path / "tls" / "webhook.yaml").read_text())

    assert strict_kinds.faults_of(made) == []
    assert made["webhooks"][0]["clientConfig"]["url"] == "https://127.0.0.1:9443/throttle"
    assert "service" not in made["webhooks"][0]["clientConfig"]
    assert (tmp_path / "tls" / "tls.key").stat().st_mode & 0o077 == 0
    running = Webhook(tmp_path, tmp_path / "tls")
    made["webhooks"][0]["clientConfig"]["url"] = f"https://127.0.0.1:{running.address[1]}/throttle"
    (tmp_path / "here.yaml").write_text(json.dumps(made))
    with _api(running, tmp_path / "here.yaml") as (server, url):
        Broken(running.endpoints, fault("throttle", status=429))
        assert _refusal(_client(url))[0] == 429
        assert server.ignored == []
    assert running.end() == 0


def test_a_caller_that_never_shakes_hands_holds_up_nobody(webhook: Webhook, tls: Path) -> None:
    """Connections that say nothing, or no TLS, each wait in a thread of their own."""
    with _api(webhook, tls / "webhook.yaml") as (server, url):
        Broken(webhook.endpoints, fault("throttle", status=429))
        with socket.create_connection(webhook.address), socket.create_connection(webhook.address) as rude:
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert _refusal(_client(url))[0] == 429
        assert server.ignored == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"verbs": ["get"]}, "verbs: admission is asked for writes only, not for 'get'; there are: create, "),
        ({"path_prefix": "/apis"}, "path_prefix: admission tells no path"),
        ({"reset": True}, "reset: a webhook can refuse a request, not cut its connection"),
        ({"delay_s": 1.0}, "delay_s: a webhook that is late is passed over"),
        ({"status": 200}, "status: 200 is no whole number from 400 to 599"),
        ({"share": 0.0}, "probability: 0.0 is not above 0 and at most 1"),
    ],
)
def test_what_a_webhook_cannot_do_is_refused(webhook: Webhook, options: dict[str, Any], said: str) -> None:
    """In one sentence with the mend, before anything is on."""
    backend = injection.load(fault("throttle", **options), webhook.endpoints, RunClock(), "here")
    with pytest.raises(json_api.Refused) as caught:
        backend.inject(lambda undo: None)
    assert said in str(caught.value)
    assert json_api.call("GET", f"{webhook.endpoints.faults_url}/faults") == {"faults": []}


def test_the_control_port_answers_in_words(webhook: Webhook) -> None:
    """Unknown paths, bodies and fields; a name that is taken; all removed at once."""
    url = webhook.endpoints.faults_url
    order = {"name": "a/b", "status": 429, "for_s": 60}
    for method, path, body, said in [
        ("GET", "/", None, "no GET /; there are: POST /faults"),
        ("POST", "/faults", [1], "the body is no JSON object"),
        ("POST", "/faults", {**order, "codes": 1}, "codes: is no field of a fault"),
        ("POST", "/faults", {**order, "name": ""}, "name: is missing"),
        ("POST", "/faults", {"name": "x", "for_s": 1}, "status: is missing"),
        ("POST", "/faults", {"name": "x", "status": 429}, "for_s: None is no number"),
        ("POST", "/faults", {**order, "for_s": 1e9}, "for_s: 1000000000.0 is not above 0 and at most 3600"),
        ("POST", "/faults", {**order, "verbs": []}, "verbs: [] is no list of verbs"),
        ("POST", "/faults", {**order, "resource": 3}, "resource: 3 is no text"),
    ]:
        with pytest.raises(json_api.Refused, match=r".") as caught:
            json_api.call(method, url + path, body)
        assert said in str(caught.value)
    json_api.call("POST", f"{url}/faults", order, ok=(201,))
    assert "is on there already" in injecting.why_not(webhook.endpoints, fault("throttle", name="a/b"))
    with pytest.raises(json_api.Refused) as taken:
        json_api.call("POST", f"{url}/faults", order)
    assert taken.value.status == 409
    (listed,) = json_api.call("GET", f"{url}/faults")["faults"]
    assert (listed["name"], listed["active"], listed["hits"]["count"]) == ("a/b", True, 0)
    removed = json_api.call("DELETE", f"{url}/faults")["removed"]
    assert [each["was_active"] for each in removed] == [True]


def test_it_says_why_it_cannot_begin(tmp_path: Path, tls: Path) -> None:
    """A certificate that is not there, or an address that is none: exit code 2 and a sentence."""
    words = [sys.executable, "-m", "chaos_hooks.throttling_webhook", "serve", "--key", str(tls / "tls.key")]
    missing = ["--cert", str(tmp_path / "none"), "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
    done = subprocess.run(
        [*words, *missing], cwd=HOME, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr[:20]) == (2, "throttling webhook: ")
    wrong = ["--cert", str(tls / "tls.crt"), "--listen", "9443"]
    done = subprocess.run([*words, *wrong], cwd=HOME, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "write it like 127.0.0.1:9443" in done.stderr


def test_the_cluster_faults_of_the_scenarios_are_orders_it_takes(webhook: Webhook) -> None:
    """Both throttling scenarios, at both paces, are taken as they stand."""
    for name in ("k8s-api-throttling", "k8s-api-throttling-retry-after"):
        for pace in scenario.PACES:
            (asked,) = scenario.find(HOME / "scenarios", name, pace).broken_in("cluster").faults
            assert Broken(webhook.endpoints, asked).heal().bit is False
    with pytest.raises(SetupError, match="does not take codes"):
        injection.load(fault("throttle", codes=1), webhook.endpoints, RunClock(), "here")
