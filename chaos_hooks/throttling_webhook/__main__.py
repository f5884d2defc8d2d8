"""`python -m chaos_hooks.throttling_webhook serve|certificate`: the webhook, and a certificate for it."""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from pathlib import Path

from chaos_hooks.throttling_webhook import certificate, server
from chaos_hooks.throttling_webhook.book import Book


def main() -> int:
    """Return 0 when it was told to end, 2 when it could not begin."""
    asked = _parser().parse_args()
    try:
        return asked.act(asked)
    except (OSError, certificate.CertificateError) as problem:
        print(f"throttling webhook: {problem}", file=sys.stderr)
        return 2


def _serve(asked: argparse.Namespace) -> int:
    book = Book(time.monotonic, random.random)
    listeners = {
        "reviews": server.reviews(asked.listen, book, asked.cert, asked.key),
        "control": server.control(asked.control, book),
    }
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    for listener in listeners.values():
        threading.Thread(target=listener.serve_forever, args=(0.1,), daemon=True).start()
    told = {name: "{}:{}".format(*listener.server_address[:2]) for name, listener in listeners.items()}
    print(json.dumps(told), flush=True)
    ended.wait()
    return 0


def _certify(asked: argparse.Namespace) -> int:
    for path in certificate.write(asked.folder, asked.host):
        print(path)
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it like 127.0.0.1:9443")
    return host.strip("[]"), int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos_hooks.throttling_webhook", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    serve = verbs.add_parser("serve", help="answer reviews until SIGTERM")
    serve.add_argument("--listen", type=_address, default=("0.0.0.0", 9443), help="for the API server, HTTPS")
    serve.add_argument("--control", type=_address, default=("127.0.0.1", 9080), help="for the harness, HTTP")
    serve.add_argument("--cert", type=Path, required=True)
    serve.add_argument("--key", type=Path, required=True)
    serve.set_defaults(act=_serve)
    certify = verbs.add_parser(
        "certificate", help="make tls.crt, tls.key, ca.crt and webhook.yaml in a folder"
    )
    certify.add_argument("folder", type=Path)
    certify.add_argument("--host", default=certificate.SERVICE, help="name or address the API server calls")
    certify.set_defaults(act=_certify)
    return parser


if __name__ == "__main__":
    sys.exit(main())
