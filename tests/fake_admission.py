"""An API server for RemediationRequests that asks admission webhooks, as the real one does, over TLS.

From the reference facts of its source: rules and matchConditions choose the webhook, the caBundle alone
is trusted, a refusal's status becomes the answer (any code from 400 on, after the webhook's name, and a
Retry-After only from `details.retryAfterSeconds`), and nothing is stored. With failurePolicy Ignore a
webhook that cannot be asked lets the request pass. Of matchConditions it knows those on the user's name.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import uuid
from typing import Any

from small_server import Request

PATH = "/apis/remediation.kubernaut.io/v1alpha1/namespaces/default/remediationrequests"
_OPERATIONS = {"POST": "CREATE", "PUT": "UPDATE", "DELETE": "DELETE"}


class AdmittingServer:
    """Its `answer` is for `small_server.serving`. Tokens are user names.

    ``webhooks`` are those of ValidatingWebhookConfigurations; ``services`` says where a Service is really
    reached; ``ignored`` are the reasons for which a webhook was passed over.
    """

    def __init__(self, webhooks: list[dict[str, Any]], services: dict[str, tuple[str, int]]) -> None:
        self.webhooks = webhooks
        self.services = services
        self.objects: dict[str, dict[str, Any]] = {}
        self.ignored: list[str] = []

    def answer(self, request: Request) -> None:
        """Answer one request."""
        path, _, query = request.path.partition("?")
        name = path.removeprefix(PATH).strip("/")
        body = json.loads(request.content() or b"{}")
        user = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.command in _OPERATIONS:
            refusal = self._admit(request.command, name, user, "dryRun=All" in query, body)
            if refusal is not None:
                _send(request, refusal["code"], refusal)
                return
        self._do(request, name, "dryRun=All" in query, body)

    def _do(self, request: Request, name: str, rehearsed: bool, body: dict[str, Any]) -> None:
        if request.command == "POST":
            body["metadata"]["uid"] = str(uuid.uuid4())
            if not rehearsed:
                self.objects[body["metadata"]["name"]] = body
            _send(request, 201, body)
        elif request.command == "GET" and not name:
            _send(request, 200, {"kind": "List", "metadata": {}, "items": list(self.objects.values())})
        elif name not in self.objects:
            _send(request, 404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": name})
        elif request.command == "PUT":
            self.objects[name] = body
            _send(request, 200, body)
        else:
            _send(request, 200, self.objects.pop(name) if request.command == "DELETE" else self.objects[name])

    def _admit(
        self, method: str, name: str, user: str, rehearsed: bool, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        for webhook in self.webhooks:
            if not _concerns(webhook, _OPERATIONS[method], user):
                continue
            review = _review(_OPERATIONS[method], name, user, rehearsed, body)
            try:
                answered = self._ask(webhook, review)
                response = answered["response"]
                assert response["uid"] == review["request"]["uid"]
            except (OSError, ValueError, LookupError) as problem:
                if webhook["failurePolicy"] != "Ignore":
                    return _refused(webhook["name"], {"code": 500, "message": str(problem)})
                self.ignored.append(f"{type(problem).__name__}: {problem}")
                continue
            if not response["allowed"]:
                return _refused(webhook["name"], response.get("status") or {})
        return None

    def _ask(self, webhook: dict[str, Any], review: dict[str, Any]) -> dict[str, Any]:
        config = webhook["clientConfig"]
        if "service" in config:
            service = config["service"]
            host, path = f"{service['name']}.{service['namespace']}.svc", service["path"]
            address = self.services[service["name"]]
        else:
            match = re.fullmatch(r"https://([^:/]+):(\d+)(/.*)", config["url"])
            assert match
            host, path, address = match[1], match[3], (match[1], int(match[2]))
        bundle = base64.b64decode(config.get("caBundle", "")).decode()
        tls = ssl.create_default_context(cadata=bundle or None)
        with (
            socket.create_connection(address, timeout=webhook["timeoutSeconds"]) as plain,
            tls.wrap_socket(plain, server_hostname=host) as wire,
        ):
            content = json.dumps(review).encode()
            head = f"POST {path}?timeout=1s HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            wire.sendall(
                f"{head}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
            )
            received = b"".join(iter(lambda: wire.recv(65536), b""))
        status_line, _, rest = received.partition(b"\r\n")
        if b" 200 " not in status_line:
            raise ValueError(f"the webhook answered {status_line!r}")
        answered: dict[str, Any] = json.loads(rest.partition(b"\r\n\r\n")[2])
        return answered


def _concerns(webhook: dict[str, Any], operation: str, user: str) -> bool:
    rules = [r for r in webhook["rules"] if operation in r["operations"]]
    ours = any(
        "remediation.kubernaut.io" in r["apiGroups"] and "remediationrequests" in r["resources"]
        for r in rules
    )
    for condition in webhook.get("matchConditions", ()):
        match = re.fullmatch(r"request\.userInfo\.username == '([^']+)'", condition["expression"])
        assert match, condition
        ours = ours and match[1] == user
    return ours


def _review(operation: str, name: str, user: str, rehearsed: bool, body: dict[str, Any]) -> dict[str, Any]:
    resource = {"group": "remediation.kubernaut.io", "version": "v1alpha1", "resource": "remediationrequests"}
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {**resource, "kind": "RemediationRequest"},
        "resource": resource,
        "requestResource": resource,
        "name": name or body["metadata"]["name"],
        "namespace": "default",
        "operation": operation,
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "object": None if operation == "DELETE" else body,
        "oldObject": None,
        "dryRun": rehearsed,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _refused(webhook: str, status: dict[str, Any]) -> dict[str, Any]:
    said = status.get("message") or status.get("reason") or "without explanation"
    return {
        **status,
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": max(400, status.get("code", 0)),
        "message": f'admission webhook "{webhook}" denied the request: {said}',
    }


def _send(request: Request, code: int, body: dict[str, Any]) -> None:
    after_s = (body.get("details") or {}).get("retryAfterSeconds", 0)
    headers = {"Retry_After": str(after_s)} if after_s else {}
    request.reply(code, json.dumps(body), Content_Type="application/json", **headers)
