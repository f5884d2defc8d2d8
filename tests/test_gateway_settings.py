"""What a Gateway is told: environment, kubeconfig, planted defects; and the metrics it starts with."""

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from sandbox.gateway import kubeconfig
from sandbox.gateway.defects import KNOWN, DefectError, Defects, parse
from sandbox.gateway.metrics import Metrics
from sandbox.gateway.settings import (
    QueueSettings,
    Settings,
    SettingsError,
    StormMode,
    StormSettings,
    from_environment,
)

MINIMUM = {"GATEWAY_REDIS_ADDR": "127.0.0.1:6379", "KUBECONFIG": "/k"}


def test_settings() -> None:
    """Everything given."""
    assert from_environment(
        {
            "GATEWAY_LISTEN_ADDR": "0.0.0.0:80",
            "GATEWAY_REDIS_SENTINELS": "127.0.0.1:1, 127.0.0.1:2,[::1]:3",
            "GATEWAY_REDIS_MASTER": "m",
            "GATEWAY_REDIS_ADDR": "127.0.0.1:6379",
            "KUBECONFIG": "/k",
            "GATEWAY_NAMESPACE": "ns",
            "GATEWAY_DEFECTS": "drop-one-in=7, unsent-crd",
        }
    ) == Settings(
        listen=("0.0.0.0", 80),
        sentinels=(("127.0.0.1", 1), ("127.0.0.1", 2), ("::1", 3)),
        redis_master="m",
        redis_address=("127.0.0.1", 6379),
        kubeconfig="/k",
        namespace="ns",
        defects={"drop-one-in": 7.0, "unsent-crd": 0.0},
    )


def test_settings_that_are_left_out() -> None:
    """A Redis and a kubeconfig are enough."""
    settings = from_environment(MINIMUM)
    assert (settings.listen, settings.sentinels, settings.namespace) == (
        ("127.0.0.1", 8080),
        (),
        "alertstorm",
    )
    assert settings.defects == {}


def test_settings_of_storms_and_of_the_queue() -> None:
    """All of them; a rate alone says that storms are to be found by it."""
    settings = from_environment(
        MINIMUM
        | {
            "GATEWAY_REDIS_ADDRESS_MAP": "127.0.0.1:1=127.0.0.1:2, [::1]:3=127.0.0.1:4",
            "GATEWAY_CLOCK_FILE": "/clock",
            "GATEWAY_STORM_RATE_THRESHOLD": "5",
            "GATEWAY_STORM_RATE_WINDOW": "2m",
            "GATEWAY_STORM_BUFFER_THRESHOLD": "4",
            "GATEWAY_STORM_BUFFER_TTL": "500ms",
            "GATEWAY_STORM_WINDOW": "1.5s",
            "GATEWAY_STORM_BUFFER_MAX": "7",
            "GATEWAY_QUEUE_MAX": "8",
            "GATEWAY_QUEUE_HOLD": "9s",
            "GATEWAY_QUEUE_DURABILITY": "none",
        }
    )
    assert settings.redis_address_map == {
        ("127.0.0.1", 1): ("127.0.0.1", 2),
        ("::1", 3): ("127.0.0.1", 4),
    }
    assert settings.clock_file == "/clock"
    assert settings.storm == StormSettings(StormMode.THRESHOLD, 5, 120.0, 4, 0.5, 1.5, 7)
    assert settings.queue == QueueSettings(durable=False, most=8, hold_s=9.0)
    plain = from_environment(MINIMUM)
    assert plain.storm == StormSettings(StormMode.OFF, 0, 60.0, 3, 60.0, 60.0, 100)
    assert plain.queue == QueueSettings(durable=True, most=1000, hold_s=0.0)
    always = from_environment(MINIMUM | {"GATEWAY_STORM_MODE": "always"})
    assert always.storm.mode is StormMode.ALWAYS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"GATEWAY_REDIS_ADDR": ""}, "no Redis: set GATEWAY_REDIS_SENTINELS"),
        ({"KUBECONFIG": ""}, "set KUBECONFIG"),
        ({"GATEWAY_LISTEN_ADDR": "8080x"}, "GATEWAY_LISTEN_ADDR: '8080x' is no address; write host:port"),
        ({"GATEWAY_REDIS_SENTINELS": "a:0"}, "GATEWAY_REDIS_SENTINELS: 'a:0'"),
        ({"GATEWAY_REDIS_ADDRESS_MAP": "h:1"}, "GATEWAY_REDIS_ADDRESS_MAP: 'h:1' is no pair"),
        ({"GATEWAY_STORM_MODE": "on"}, "'on' is unknown; write one of off, threshold, always"),
        ({"GATEWAY_STORM_MODE": "threshold"}, "set GATEWAY_STORM_RATE_THRESHOLD above 0"),
        ({"GATEWAY_STORM_WINDOW": "60"}, "GATEWAY_STORM_WINDOW: '60' has no unit; write 60s"),
        ({"GATEWAY_STORM_BUFFER_TTL": "0s"}, "GATEWAY_STORM_BUFFER_TTL: '0s' is no duration"),
        ({"GATEWAY_STORM_BUFFER_MAX": "0"}, "GATEWAY_STORM_BUFFER_MAX: '0' is no whole number from 1 up"),
        ({"GATEWAY_QUEUE_DURABILITY": "disk"}, "'disk' is unknown; write one of redis, none"),
        ({"GATEWAY_QUEUE_HOLD": "long"}, "GATEWAY_QUEUE_HOLD: 'long' is no duration"),
    ],
)
def test_settings_errors(change: dict[str, str], message: str) -> None:
    """The text names the variable and the mend."""
    with pytest.raises(SettingsError, match=message):
        from_environment(MINIMUM | change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "no defect is called 'nope'; there are: ack-then-drop"),
        ("unsent-crd=3", "takes no value; write unsent-crd"),
        ("drop-one-in", "needs a whole number above 0; write drop-one-in=N"),
        ("drop-one-in=0", "needs a whole number"),
        ("drop-one-in=1.5", "needs a whole number"),
        ("breaker-opens-late=nan", "needs seconds above 0; write breaker-opens-late=SECONDS"),
        ("breaker-opens-late=-1", "needs seconds above 0"),
    ],
)
def test_defect_errors(text: str, message: str) -> None:
    """An unknown name lists those that exist; a value is checked."""
    with pytest.raises(DefectError, match=message):
        parse(text)


def test_every_defect_can_be_planted() -> None:
    """Its usage, with a number for the value, is understood."""
    for defect in KNOWN.values():
        text = defect.usage.replace("SECONDS", "2.5").replace("=N", "=3")
        assert list(parse(text)) == [defect.name]


def test_bites_are_counted() -> None:
    """Only of planted defects, and of every N-th time where it says so."""
    bitten: list[str] = []
    defects = Defects(parse("drop-one-in=3,unsent-crd"), bitten.append)
    assert [defects.bite_every("drop-one-in") for _ in range(7)] == [False, False, True] * 2 + [False]
    assert [defects.bite_every("unsent-crd", 2) for _ in range(2)] == [False, True]
    assert not defects.bite("reject-with-429")
    assert bitten == ["drop-one-in", "drop-one-in", "unsent-crd"]


def test_metrics_are_there_from_the_start() -> None:
    """Series whose labels are known show 0 before anything has happened."""
    text = generate_latest(Metrics(["unsent-crd"]).registry).decode()
    for line in (
        'gateway_circuit_breaker_state{component="redis"} 0.0',
        'gateway_circuit_breaker_state_changes_total{component="redis",to="closed"} 0.0',
        'gateway_circuit_breaker_state_changes_total{component="redis",to="half_open"} 0.0',
        'gateway_circuit_breaker_state_changes_total{component="redis",to="open"} 0.0',
        "gateway_alerts_received_total 0.0",
        "gateway_alerts_deduplicated_total 0.0",
        'gateway_alerts_processed_total{outcome="created"} 0.0',
        'gateway_crds_created_total{source="webhook"} 0.0',
        'gateway_dedup_fallback_total{reason="breaker_open"} 0.0',
        'gateway_redis_operation_errors_total{error="timeout"} 0.0',
        "gateway_redis_reconnect_success_total 0.0",
        'gateway_k8s_api_errors_total{status="429"} 0.0',
        "gateway_crd_update_conflicts_total 0.0",
        "gateway_crd_update_retry_success_total 0.0",
        'gateway_circuit_breaker_state{component="kubernetes"} 0.0',
        'gateway_alerts_processed_total{outcome="buffered"} 0.0',
        "gateway_dedup_cache_hits_total 0.0",
        'gateway_crds_created_total{source="buffer_expiration"} 0.0',
        'gateway_storm_buffer_bypass_total{reason="oom"} 0.0',
        'gateway_crd_update_backoff_seconds_bucket{le="0.2",step="0.4"} 0.0',
        'gateway_k8s_api_retry_backoff_seconds_bucket{le="32.0"} 0.0',
        "gateway_k8s_api_request_queue_depth 0.0",
        'gateway_k8s_api_queries_total{reason="dedup_check"} 0.0',
        'gateway_defect_triggered_total{defect="unsent-crd"} 0.0',
    ):
        assert line in text.splitlines()


def write(path: Path, cluster: dict[str, Any], user: dict[str, Any] | None = None, **change: Any) -> str:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "other", "cluster": {}}, {"name": "k", "cluster": cluster}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path.write_text(json.dumps(document | change))
    return str(path)


def test_kubeconfig(tmp_path: Path) -> None:
    """Server, token and token file of the current context; no TLS for http."""
    path = tmp_path / "config"
    assert kubeconfig.read(write(path, {"server": "http://h:1/"}, {"token": "t"})) == kubeconfig.Cluster(
        "http://h:1", "t", None
    )
    (tmp_path / "token").write_text("from-file\n")
    cluster = kubeconfig.read(write(path, {"server": "https://h"}, {"tokenFile": "token"}))
    assert cluster.token == "from-file"
    assert cluster.tls is not None


@pytest.mark.parametrize(
    ("cluster", "user", "change", "message"),
    [
        ({}, {}, {}, "server is None"),
        ({"server": "h:1"}, {}, {}, "server is 'h:1'; write an http"),
        ({"server": "http://h"}, {}, {"current-context": "d"}, "contexts has no entry named 'd'"),
        ({"server": "http://h"}, {"exec": {}}, {}, "user.exec is not supported; give a token"),
        (
            {"server": "https://h", "certificate-authority": "no"},
            {},
            {},
            "certificate authority cannot be used",
        ),
    ],
)
def test_kubeconfig_errors(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    """The text names the file and the part."""
    path = write(tmp_path / "config", cluster, user, **change)
    with pytest.raises(SettingsError, match=f"KUBECONFIG: {path}: .*{message}"):
        kubeconfig.read(path)


def test_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    """So is a missing file."""
    with pytest.raises(SettingsError, match="cannot be read"):
        kubeconfig.read(str(tmp_path / "none"))
