"""A certificate for the webhook, of a CA of its own, and the webhook's configuration that trusts it."""

from __future__ import annotations

import base64
import ipaddress
import subprocess
import tempfile
from pathlib import Path

SERVICE = "alertstorm-throttling.default.svc"
_MANIFEST = Path(__file__).resolve().parents[2] / "manifests" / "throttling" / "webhook.yaml"
_CLIENT = "    clientConfig:\n"
_DAYS = "30"


class CertificateError(Exception):
    """It could not be made; one sentence with the reason and the mend."""


def write(folder: Path, host: str) -> list[Path]:
    """Make ``tls.key``, ``tls.crt`` (for ``host``, signed by a CA whose key is thrown away), ``ca.crt``, and
    ``webhook.yaml``: the manifest with that CA in it. Return their paths.

    Raises:
        CertificateError: if openssl is missing or fails.
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key, cert, ca = folder / "tls.key", folder / "tls.crt", folder / "ca.crt"
    with tempfile.TemporaryDirectory() as scratch:
        ca_key, request, extensions = (Path(scratch) / name for name in ("ca.key", "request", "extensions"))
        extensions.write_text(f"subjectAltName={_alternative(host)}\nextendedKeyUsage=serverAuth\n")
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        is_ca = ["-x509", "-days", _DAYS, "-addext", "keyUsage=critical,keyCertSign"]
        _openssl(*new, *is_ca, "-subj", "/CN=alertstorm-throttling-ca", "-keyout", ca_key, "-out", ca)
        _openssl(*new, "-subj", "/CN=alertstorm-throttling", "-keyout", key, "-out", request)
        signed = ["x509", "-req", "-days", _DAYS, "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial"]
        _openssl(
            *signed,
            "-CAserial",
            Path(scratch) / "serial",
            "-in",
            request,
            "-extfile",
            extensions,
            "-out",
            cert,
        )
    key.chmod(0o600)
    return [cert, key, ca, _configured(folder, ca, host)]


def _configured(folder: Path, ca: Path, host: str) -> Path:
    manifest = _MANIFEST.read_text(encoding="utf-8")
    bundle = base64.b64encode(ca.read_bytes()).decode()
    head, client, rest = manifest.partition(_CLIENT)
    if not client:
        raise CertificateError(f"{_MANIFEST}: has no clientConfig; take it back from the repository")
    if host != SERVICE:
        _, rules, rest = rest.partition("    rules:\n")
        rest = f"      url: https://{_in_url(host)}:9443/throttle\n{rules}{rest}"
    path = folder / "webhook.yaml"
    path.write_text(f"{head}{client}      caBundle: {bundle}\n{rest}", encoding="utf-8")
    return path


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _alternative(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def _openssl(*words: str | Path) -> None:
    try:
        done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CertificateError("openssl is not on PATH; install it, or bring a certificate along") from None
    if done.returncode:
        raise CertificateError(f"openssl {words[0]}: {done.stderr.strip().splitlines()[-1]}")
