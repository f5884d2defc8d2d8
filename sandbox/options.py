"""Options: what `python -m sandbox` was asked to do, by arguments or by environment variables."""

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sandbox.alertmanager import OFF, SINGLY, Grouping
from sandbox.namespace import HOST_NETWORK, NAMESPACE

AROUND = "around"  # Sentinel and replication go direct: a proxy is between the Gateway and Redis alone
THROUGH = "through"  # Sentinel and replication, too, go through the proxies
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
# What the sandbox itself tells the Gateway, and --gateway-defects.
_OWN_VARIABLES = frozenset(
    f"GATEWAY_{name}"
    for name in (
        "LISTEN_ADDR", "REDIS_ADDR", "REDIS_ADDRESS_MAP", "REDIS_SENTINELS", "REDIS_MASTER", "NAMESPACE",
        "CLOCK_FILE", "DEFECTS",
    )
) | {"KUBECONFIG"}  # fmt: skip


class OptionError(Exception):
    """An option that cannot be used; the message names it, and the mend."""


@dataclass(frozen=True, slots=True)
class Options:
    """One parsed command line. Empty gateway_command: the reference Gateway; gateway_port None: any."""

    directory: Path | None
    logs: Path | None
    namespace: str
    redis_server: str | None
    redis_layout: str
    toxiproxy_server: str | None
    gateway_command: tuple[str, ...]
    gateway_cwd: Path | None
    gateway_port: int | None
    gateway_defects: str
    gateway_env: tuple[tuple[str, str], ...]
    gateway_restart_delay_s: float
    ready_timeout_s: float
    die_with_parent: bool
    ignore_sigint: bool
    network: str = HOST_NETWORK
    prometheus: str = ""  # empty: one on PATH, if there is one
    alertmanager: str = "off"
    alertmanager_grouping: Grouping = SINGLY
    alertmanager_relay: str = ""


def duration_s(text: str) -> float:
    """Seconds of '500ms', '1.5s' or '2m'; raises argparse.ArgumentTypeError with the mend."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration with a unit; write 500ms, 15s or 2m")
    return float(match[1]) * _UNITS_S[match[2]]


def _duration(text: str) -> str:
    duration_s(text)
    if "." in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} has a fraction, which Alertmanager does not take; write 1500ms"
        )
    return text


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no")
    return text == "yes"


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number from 1 to 65535")
    return int(text)


def _namespace(text: str) -> str:
    if re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no namespace; write small letters, digits and '-'")
    return text


def _layout(text: str) -> str:
    if text not in (AROUND, THROUGH):
        raise argparse.ArgumentTypeError(f"{text!r} is no layout; write {AROUND} or {THROUGH}")
    return text


def _network(text: str) -> str:
    if text not in (HOST_NETWORK, NAMESPACE):
        raise argparse.ArgumentTypeError(f"{text!r} is no network; write {HOST_NETWORK} or {NAMESPACE}")
    return text


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no variable; write NAME=VALUE")
    if name in _OWN_VARIABLES:
        raise argparse.ArgumentTypeError(f"{name} is set by the sandbox; name another variable")
    return name, value


def _command(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be split as a shell would: {error}") from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(message)


def _flag(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true", "yes", "on")


def parse(argv: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Arguments win over the environment. Raises OptionError; `--help` prints and raises SystemExit."""
    parser = _Parser(
        prog="python -m sandbox", description="The embedded world, until stdin ends.", allow_abbrev=False
    )

    def add(name: str, help_text: str, **how: object) -> None:
        variable = "SANDBOX_" + name.removeprefix("--").replace("-", "_").upper()
        if variable in environment:
            how["default"] = environment[variable]
        parser.add_argument(name, help=f"{help_text} [{variable}]", **how)  # type: ignore[arg-type]

    add("--dir", "directory for this run's files, removed at the end (default: a temporary one)", type=Path)
    add("--logs", "directory for one log per component, kept (default: DIR/logs, removed)", type=Path)
    add("--namespace", "namespace the Gateway writes to", type=_namespace, default="alertstorm")
    add("--redis-server", "redis-server or valkey-server >= 6.2 [also CHAOS_REDIS_SERVER]")
    add("--redis-layout", "around or through the proxies: Sentinel", type=_layout, default=AROUND)
    add("--toxiproxy-server", "real Toxiproxy to run instead of ours [also CHAOS_TOXIPROXY_SERVER]")
    add("--network", "the host's, or namespace: one of its own", type=_network, default=HOST_NETWORK)
    add("--prometheus", "prometheus that scrapes the Gateway, or off (default: one on PATH)", default="")
    add("--alertmanager", "one that posts to the Gateway: on (of PATH), a program, or off", default=OFF)
    add("--alertmanager-group-by", "labels with commas; ... for each alert by itself", default="...")
    add("--alertmanager-group-wait", "as 500ms", type=_duration, default="0s")
    add("--alertmanager-group-interval", "as 5s", type=_duration, default="5s")
    add("--alertmanager-relay", "URL of a relay that it posts to instead (default: the Gateway)", default="")
    add("--alertmanager-send-resolved", "yes or no", type=_yes, default="no")
    add("--gateway-command", "Gateway to run instead of the reference one", type=_command, default=())
    add("--gateway-cwd", "folder that command is started in (default: this one)", type=Path)
    add("--gateway-port", "port of the Gateway (default: a free one)", type=_port)
    add("--gateway-defects", "defects of the reference Gateway, as a=1,b", default="")
    parser.add_argument(
        "--gateway-env",
        type=_variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable for the Gateway alone; may be repeated",
    )
    add("--gateway-restart-delay", "wait before a dead Gateway is restarted", type=duration_s, default="1s")
    add("--ready-timeout", "give up when not ready by then", type=duration_s, default="15s")
    for name, help_text in (
        ("--die-with-parent", "end when the parent process ends, even if stdin stays open"),
        ("--ignore-sigint", "leave Ctrl-C to the parent, which closes stdin when it is done"),
    ):
        variable = "SANDBOX_" + name.removeprefix("--").replace("-", "_").upper()
        default = _flag(environment, variable)
        parser.add_argument(name, action="store_true", default=default, help=f"{help_text} [{variable}]")
    asked = parser.parse_args(argv)
    return Options(
        directory=asked.dir,
        logs=asked.logs,
        namespace=asked.namespace,
        redis_server=asked.redis_server or environment.get("CHAOS_REDIS_SERVER") or None,
        redis_layout=asked.redis_layout,
        toxiproxy_server=asked.toxiproxy_server or environment.get("CHAOS_TOXIPROXY_SERVER") or None,
        gateway_command=asked.gateway_command,
        gateway_cwd=asked.gateway_cwd,
        gateway_port=asked.gateway_port,
        gateway_defects=asked.gateway_defects,
        gateway_env=tuple(asked.gateway_env),
        gateway_restart_delay_s=asked.gateway_restart_delay,
        ready_timeout_s=asked.ready_timeout,
        die_with_parent=asked.die_with_parent,
        ignore_sigint=asked.ignore_sigint,
        network=asked.network,
        prometheus=asked.prometheus,
        alertmanager=asked.alertmanager,
        alertmanager_relay=asked.alertmanager_relay,
        alertmanager_grouping=Grouping(
            tuple(asked.alertmanager_group_by.split(",")),
            asked.alertmanager_group_wait,
            asked.alertmanager_group_interval,
            asked.alertmanager_send_resolved,
        ),
    )
