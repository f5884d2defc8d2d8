"""A proxy in front of the Kubernetes API that refuses writes when it is told to."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateway_processes import WAIT_S, free_port
from gateway_world import KubernetesApi, write_kubeconfig


class ThrottlingProxy:
    """While `status` is not 0 it is the answer to POST, PUT and PATCH, and to GET if `refuses_reads`."""

    def __init__(self, directory: Path, api: KubernetesApi) -> None:
        self.status = 0
        self.refuses_reads = False
        self.retry_after = ""
        self.refused = 0
        proxy, target = self, api.port

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if proxy.status and (self.command != "GET" or proxy.refuses_reads):
                    proxy.refused += 1
                    headers = {"Retry-After": proxy.retry_after} if proxy.retry_after else {}
                    self._answer(proxy.status, b'{"message": "throttled"}', headers)
                    return
                onward = http.client.HTTPConnection("127.0.0.1", target, timeout=WAIT_S)
                onward.request(self.command, self.path, body, {"Content-Type": "application/json"})
                answer = onward.getresponse()
                self._answer(answer.status, answer.read(), {})
                onward.close()

            def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = _handle

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.kubeconfig = write_kubeconfig(directory / f"kubeconfig-{port}", f"http://127.0.0.1:{port}")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
