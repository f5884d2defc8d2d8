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

from sandbox.gateway.result import OUTCOMES

REDIS_ERRORS = ("connection", "timeout", "readonly", "master_not_found", "oom", "loading", "other")
FALLBACK_REASONS = ("breaker_open", "pool_exhausted", *REDIS_ERRORS)
BREAKER_STATES = ("closed", "half_open", "open")
BREAKER_COMPONENTS = ("redis", "kubernetes")
CRD_SOURCES = ("webhook", "fallback", "storm", "buffer_expiration", "bypass", "queue")
BYPASS_REASONS = ("overflow", "redis_unavailable", "oom", "closing")
# Why the Kubernetes API was asked: to write, to look for a CRD (Redis being away, or not knowing the alert),
# to read what is to be counted in, or to find the storms of a former Gateway.
QUERY_REASONS = ("create", "update", "dedup_fallback", "dedup_check", "count", "storm", "recovery")
CONFLICT_STEPS_S = ("0.1", "0.2", "0.4")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All instruments, in one registry of its own."""

    def __init__(self, defects: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._define_alerts()
        self._define_breakers()
        self._define_redis()
        self._define_kubernetes()
        self._define_updates()
        self._define_storms()
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
            CRD_SOURCES,
        )
        self.dedup_cache_hits_total = self._counter(
            "gateway_dedup_cache_hits_total", "Alerts whose CRD Redis knew: the API need not be searched"
        )
        self.dedup_cache_misses_total = self._counter(
            "gateway_dedup_cache_misses_total", "Alerts whose CRD Redis did not know"
        )
        self.dedup_fallback_total = self._counter(
            "gateway_dedup_fallback_total",
            "Alerts deduplicated through the Kubernetes API because Redis was away",
            "reason",
            FALLBACK_REASONS,
        )

    def _define_breakers(self) -> None:
        self.breaker_state = self._gauge(
            "gateway_circuit_breaker_state", "0 closed, 1 half-open, 2 open", "component"
        )
        self.breaker_state_changes_total = Counter(
            "gateway_circuit_breaker_state_changes_total",
            "Transitions of the breaker, by the state entered",
            ("component", "to"),
            registry=self.registry,
        )
        for component in BREAKER_COMPONENTS:
            self.breaker_state.labels(component).set(0)
            for state in BREAKER_STATES:
                self.breaker_state_changes_total.labels(component, state)

    def _define_redis(self) -> None:
        self.redis_unreplicated_writes_total = self._counter(
            "gateway_redis_unreplicated_writes_total", "Buffered or queued alerts that no replica confirmed"
        )
        self.redis_operation_errors_total = self._counter(
            "gateway_redis_operation_errors_total", "Redis calls that failed", "error", REDIS_ERRORS
        )
        self.redis_reconnect_success_total = self._counter(
            "gateway_redis_reconnect_success_total", "First Redis calls that succeeded after one that failed"
        )
        self.redis_pool_active_connections = self._gauge(
            "gateway_redis_pool_active_connections", "Redis connections in use"
        )
        self.redis_pool_max_size = self._gauge(
            "gateway_redis_pool_max_size", "Redis connections that may be in use"
        )

    def _define_kubernetes(self) -> None:
        self.k8s_api_errors_total = self._counter(
            "gateway_k8s_api_errors_total",
            "Tries at the Kubernetes API that failed: a status (but 404 and 409), connection or timeout",
            "status",
            ("429", "500", "503", "connection", "timeout"),
        )
        self.k8s_api_queries_total = self._counter(
            "gateway_k8s_api_queries_total", "Requests to the Kubernetes API", "reason", QUERY_REASONS
        )
        self.k8s_api_retry_backoff_seconds = Histogram(
            "gateway_k8s_api_retry_backoff_seconds",
            "Pauses of the queue's worker; the value is the nominal step, without jitter and Retry-After",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )
        self.k8s_api_request_queue_depth = self._gauge(
            "gateway_k8s_api_request_queue_depth", "Alerts that wait for the Kubernetes API"
        )
        self.k8s_api_request_queue_overflow_total = self._counter(
            "gateway_k8s_api_request_queue_overflow_total", "Alerts refused because the queue was full"
        )
        self.k8s_api_request_queue_recovered_total = self._counter(
            "gateway_k8s_api_request_queue_recovered_total", "Queued alerts taken over from a former Gateway"
        )

    def _define_updates(self) -> None:
        self.crd_update_conflicts_total = self._counter(
            "gateway_crd_update_conflicts_total", "Updates of a CRD answered with 409 Conflict"
        )
        self.crd_update_retry_success_total = self._counter(
            "gateway_crd_update_retry_success_total", "Updates of a CRD that succeeded after a conflict"
        )
        self.crd_update_retry_exhausted_total = self._counter(
            "gateway_crd_update_retry_exhausted_total", "Updates of a CRD given up after conflicts in a row"
        )
        self.crd_update_backoff_seconds = Histogram(
            "gateway_crd_update_backoff_seconds",
            "Pauses after a conflict, drawn with full jitter from 0 to the nominal step, which is the label",
            ("step",),
            buckets=(0.1, 0.2, 0.4, 0.8, 1.6),
            registry=self.registry,
        )
        for step in CONFLICT_STEPS_S:
            self.crd_update_backoff_seconds.labels(step)

    def _define_storms(self) -> None:
        self.storm_buffer_size = self._gauge("gateway_storm_buffer_size", "Alerts in storm buffers")
        self.storm_buffer_overflow_total = self._counter(
            "gateway_storm_buffer_overflow_total", "Alerts that found the storm buffers full"
        )
        self.storm_buffer_bypass_total = self._counter(
            "gateway_storm_buffer_bypass_total",
            "Alerts of a storm that were given a CRD of their own at once",
            "reason",
            BYPASS_REASONS,
        )
        self.storm_buffer_expirations_total = self._counter(
            "gateway_storm_buffer_expirations_total", "Buffers whose time passed below the threshold"
        )
        self.storm_buffer_recovered_total = self._counter(
            "gateway_storm_buffer_recovered_total",
            "Storm buffers, and open storm windows, taken over from a former Gateway",
        )
        self.storm_buffer_mended_total = self._counter(
            "gateway_storm_buffer_mended_total", "Buffers written to Redis again because it had lost them"
        )
        self.storm_windows_opened_total = self._counter(
            "gateway_storm_windows_opened_total", "Storm windows opened, each with one aggregated CRD"
        )

    def _counter(self, name: str, text: str, label: str | None = None, values: Iterable[str] = ()) -> Counter:
        counter = Counter(name, text, (label,) if label else (), registry=self.registry)
        for value in values:
            counter.labels(value)
        return counter

    def _gauge(self, name: str, text: str, label: str | None = None) -> Gauge:
        return Gauge(name, text, (label,) if label else (), registry=self.registry)
