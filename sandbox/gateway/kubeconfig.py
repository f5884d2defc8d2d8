"""The kubeconfig file: server, optional token and optional CA of the current context."""

import base64
import binascii
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.gateway.settings import SettingsError


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach the Kubernetes API; `tls` is None for plain http."""

    server: str
    token: str | None
    tls: ssl.SSLContext | None


def read(path: str) -> Cluster:
    """The cluster of the current context of the file at `path`.

    Raises SettingsError naming the file and the part that is missing or not supported (client certificates,
    exec plug-ins).
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"KUBECONFIG: {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"KUBECONFIG: {path} is not a kubeconfig: it holds no mapping")
    context = _entry(path, document, "contexts", document.get("current-context"), "context")
    cluster = _entry(path, document, "clusters", context.get("cluster"), "cluster")
    user = _entry(path, document, "users", context["user"], "user") if context.get("user") else {}
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("http://", "https://")):
        raise SettingsError(
            f"KUBECONFIG: {path}: the cluster's server is {server!r}; write an http(s) address"
        )
    foreign = sorted({"client-certificate", "client-certificate-data", "exec", "auth-provider"} & user.keys())
    if foreign:
        raise SettingsError(f"KUBECONFIG: {path}: user.{foreign[0]} is not supported; give a token")
    return Cluster(
        server.rstrip("/"), _token(path, user), _tls(path, cluster) if server.startswith("https") else None
    )


def _entry(path: str, document: dict[str, Any], section: str, name: Any, key: str) -> dict[str, Any]:
    for entry in document.get(section) or []:
        if isinstance(entry, dict) and entry.get("name") == name:
            return entry.get(key) or {}
    raise SettingsError(f"KUBECONFIG: {path}: {section} has no entry named {name!r}")


def _token(path: str, user: dict[str, Any]) -> str | None:
    if user.get("tokenFile"):
        try:
            return Path(path).parent.joinpath(user["tokenFile"]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"KUBECONFIG: {path}: user.tokenFile cannot be read: {error}") from error
    return user.get("token")


def _tls(path: str, cluster: dict[str, Any]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority")
    try:
        data = base64.b64decode(cluster.get("certificate-authority-data") or "").decode() or None
        tls = ssl.create_default_context(
            cafile=str(Path(path).parent / authority) if authority and not data else None, cadata=data
        )
    except (OSError, binascii.Error, UnicodeDecodeError) as error:
        raise SettingsError(
            f"KUBECONFIG: {path}: the certificate authority cannot be used: {error}"
        ) from error
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls
