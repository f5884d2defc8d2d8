"""Kubernetes' own API machinery as a server: apiextensions-apiserver over etcd, with a plain-HTTP door.

The door ends TLS with an administrator's certificate and answers the two discovery documents (`/api`,
`/apis`) that a cluster's aggregator would serve; everything else, watches too, is handed on as it is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import real_tools
from kubernetes_api_server import RunningServer, free_port

PROGRAMS = ("apiextensions-apiserver", "etcd", "openssl")
# Without a cluster around it there are no namespaces to look up, and no webhooks to ask.
_NOT_WITHOUT_A_CLUSTER = (
    "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,"
    "MutatingAdmissionPolicy,ValidatingAdmissionPolicy"
)
_GROUPS = ("apiextensions.k8s.io", "remediation.kubernaut.io", "chaos-mesh.org")


@contextmanager
def running(folder: Path) -> Iterator[RunningServer]:
    """Start etcd, the server and the door; end them afterwards."""
    _certificates(folder)
    etcd, peer, secure = free_port(), free_port(), free_port()
    store = f"http://127.0.0.1:{etcd}"
    peers = f"http://127.0.0.1:{peer}"
    cluster = [f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}"]
    listen = [
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peers}",
    ]
    # The data is gone afterwards anyway: no need to wait for the disk.
    keep = [real_tools.find("etcd"), f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", *listen, *cluster]
    nobody = _kubeconfig(folder / "core.kubeconfig", "http://127.0.0.1:1")
    serve = [
        real_tools.find("apiextensions-apiserver"),
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={secure}",
        f"--cert-dir={folder / 'serving'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        "--authentication-skip-lookup",
        *(f"--{name}kubeconfig={nobody}" for name in ("", "authentication-", "authorization-")),
        f"--disable-admission-plugins={_NOT_WITHOUT_A_CLUSTER}",
        "--enable-priority-and-fairness=false",
    ]
    behind = _Behind(secure, folder)
    with contextlib.ExitStack() as stack:
        stack.enter_context(real_tools.running(keep, folder / "etcd.log", lambda: _healthy(etcd)))
        log = folder / "apiserver.log"
        process = stack.enter_context(real_tools.running(serve, log, behind.ready))
        door = stack.enter_context(_door(behind))
        yield RunningServer(
            process, door, _kubeconfig(folder / "kubeconfig", f"http://127.0.0.1:{door}"), log
        )


def define(server: RunningServer, definition: dict[str, Any]) -> None:
    """Create a CustomResourceDefinition and wait until it is served."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    status, body = server.call("POST", path, definition)
    assert status == 201, body
    name, spec = definition["metadata"]["name"], definition["spec"]
    version = next(v["name"] for v in spec["versions"] if v["storage"])
    resources = f"/apis/{spec['group']}/{version}"

    def served() -> bool:
        got, listed = server.call("GET", resources)
        names = [each["name"] for each in listed["resources"]] if got == 200 else []
        return spec["names"]["plural"] in names and server.call("GET", f"{resources}/{names[0]}")[0] == 200

    real_tools.until(served, lambda: f"{name} is not served: {server.call('GET', f'{path}/{name}')}")


@dataclass(frozen=True, slots=True)
class _Behind:
    """The server behind the door."""

    port: int
    folder: Path

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection as an administrator."""
        context = ssl.create_default_context()
        context.check_hostname = False  # It signs its own certificate, made for this test.
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=60)

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for one document."""
        connection = self.connect()
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ready(self) -> bool:
        """Return whether it serves; `/readyz` waits for a cluster's namespaces, and there are none."""
        try:
            return self.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")[0] == 200
        except OSError:
            return False

    def groups(self) -> dict[str, Any]:
        """Return the discovery document of the groups that are served now."""
        found = [
            json.loads(raw) for status, raw in (self.get(f"/apis/{g}") for g in _GROUPS) if status == 200
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


@contextmanager
def _door(behind: _Behind) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def _hand_on(self) -> None:
            path = self.path.partition("?")[0].rstrip("/")
            if path == "/api":
                self._say({"kind": "APIVersions", "versions": []})
            elif path == "/apis":
                self._say(behind.groups())
            else:
                self._forward()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _hand_on

        def _say(self, document: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            keep = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "accept")}
            connection = behind.connect()
            try:
                connection.request(self.command, self.path, body or None, keep)
                answer = connection.getresponse()
                self.send_response(answer.status)
                for name in ("Content-Type", "Retry-After", "Warning"):
                    if value := answer.getheader(name):
                        self.send_header(name, value)
                self.end_headers()
                while data := answer.read1(65536):
                    self.wfile.write(data)
                    self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                return  # The client has seen enough of a watch.
            finally:
                connection.close()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _kubeconfig(path: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "real", "cluster": {"server": server}}],
        "users": [{"name": "real", "user": {"token": "any"}}],
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": "real"}}],
        "current-context": "real",
    }
    path.write_text(json.dumps(document))
    return path


def _certificates(folder: Path) -> None:
    """Make an authority and an administrator, whom the server's own authoriser lets do everything."""
    new = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    admin = ["-subj", "/O=system:masters/CN=admin", "-keyout", "admin.key", "-out", "admin.csr"]
    sign = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", "admin.crt"]
    for arguments in (
        ["req", "-x509", *new, "-subj", "/CN=alertstorm-test", "-keyout", "ca.key", "-out", "ca.crt"],
        ["req", *new[:3], *admin],
        ["x509", "-req", "-in", "admin.csr", *sign],
    ):
        command = [real_tools.find("openssl"), *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ)
        )
        assert done.returncode == 0, done.stderr
