"""The metrics of the Gateway; every series with a known label value is there, at 0, from the start."""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

OUTCOMES = ("created", "duplicate", "resolved", "failed", "rejected")
REDIS_ERRORS = ("connection", "timeout", "readonly", "master_not_found", "oom", "loading", "other")
FALLBACK_REASONS = ("breaker_open", "pool_exhausted", *REDIS_ERRORS)
BREAKER_STATES = ("closed", "half_open", "open")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All instruments, in one registry of its own."""

    def __init__(self, defects: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._define_alerts()
        self._define_redis()
        self._define_kubernetes()
        self.http_request_duration_seconds = Histogram(
            "gateway_http_request_duration_seconds",
            "Time from the request's head to the end of its answer",
            ("endpoint", "method", "status"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.defect_triggered_total = self._counter(
            "gateway_defect_triggered_total", "How often a planted defect bit", "defect", defects
        )

    def _define_alerts(self) -> None:
        self.alerts_received_total = self._counter(
            "gateway_alerts_received_total", "Alerts found in webhooks, usable or not"
        )
        self.alerts_processed_total = self._counter(
            "gateway_alerts_processed_total", "Alerts answered, by outcome", "outcome", OUTCOMES
        )
        self.alerts_deduplicated_total = self._counter(
            "gateway_alerts_deduplicated_total", "Alerts counted in an existing CRD"
        )
        self.alerts_rejected_total = self._counter(
            "gateway_alerts_rejected_total", "Alerts, or whole requests, refused", "reason"
        )
        self.crds_created_total = self._counter(
            "gateway_crds_created_total",
            "CRDs created, by the way to them",
            "source",
            ("webhook", "fallback"),
        )
        self.dedup_fallback_total = self._counter(
            "gateway_dedup_fallback_total",
            "Alerts deduplicated through the Kubernetes API because Redis was away",
            "reason",
            FALLBACK_REASONS,
        )

    def _define_redis(self) -> None:
        self.breaker_state = Gauge(
            "gateway_circuit_breaker_state",
            "0 closed, 1 half-open, 2 open",
            ("component",),
            registry=self.registry,
        )
        self.breaker_state.labels("redis").set(0)
        self.breaker_state_changes_total = Counter(
            "gateway_circuit_breaker_state_changes_total",
            "Transitions of the breaker, by the state entered",
            ("component", "to"),
            registry=self.registry,
        )
        for state in BREAKER_STATES:
            self.breaker_state_changes_total.labels("redis", state)
        self.redis_operation_errors_total = self._counter(
            "gateway_redis_operation_errors_total", "Redis calls that failed", "error", REDIS_ERRORS
        )
        self.redis_reconnect_success_total = self._counter(
            "gateway_redis_reconnect_success_total", "First Redis calls that succeeded after one that failed"
        )
        self.redis_pool_active_connections = Gauge(
            "gateway_redis_pool_active_connections", "Redis connections in use", registry=self.registry
        )
        self.redis_pool_max_size = Gauge(
            "gateway_redis_pool_max_size", "Redis connections that may be in use", registry=self.registry
        )

    def _define_kubernetes(self) -> None:
        self.k8s_api_errors_total = self._counter(
            "gateway_k8s_api_errors_total",
            "Tries at the Kubernetes API that failed: a status (but 404 and 409), connection or timeout",
            "status",
            ("429", "500", "503", "connection", "timeout"),
        )
        self.crd_update_conflicts_total = self._counter(
            "gateway_crd_update_conflicts_total", "Updates of a CRD answered with 409 Conflict"
        )
        self.crd_update_retry_success_total = self._counter(
            "gateway_crd_update_retry_success_total", "Updates of a CRD that succeeded after a conflict"
        )

    def _counter(self, name: str, text: str, label: str | None = None, values: Iterable[str] = ()) -> Counter:
        counter = Counter(name, text, (label,) if label else (), registry=self.registry)
        for value in values:
            counter.labels(value)
        return counter
