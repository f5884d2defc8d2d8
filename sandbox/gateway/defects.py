"""Planted defects: named faults of the Gateway itself, so that every promise can be seen to be broken; and
noises, which break none.

Each call site asks `bite(NAME)` at the very line where the fault happens. A bite is counted.
"""

from collections.abc import Callable

from sandbox.gateway import noise
from sandbox.gateway.defect import Defect, Value

ACK_THEN_DROP = "ack-then-drop-on-redis-failure"
BREAKER_NEVER_OPENS = "breaker-never-opens"
BREAKER_OPENS_LATE = "breaker-opens-late"
BREAKER_NEVER_CLOSES = "breaker-never-closes"
DROP_ONE_IN = "drop-one-in"
TWO_CRDS = "two-crds-after-failover"
UNSENT_CRD = "unsent-crd"
COUNT_LOST = "count-lost-on-conflict"
METRICS_HANG = "metrics-hang-on-redis-failure"
REJECT_WITH_429 = "reject-with-429"
REJECT_WITH_500 = "reject-with-500"
CRASH = "crash-on-redis-failure"

BUFFER_IN_MEMORY_ONLY = "buffer-in-memory-only"
EXPIRY_DROPS = "expiry-drops-buffered"
EVICTION_DROPS = "eviction-drops-buffer"
COUNT_TWICE = "count-twice-on-conflict"
BACKOFF_FLAT = "backoff-does-not-grow"
QUEUE_DROPS = "queue-drops-on-429"
POOL_EXHAUSTED = "pool-exhausted"
FINGERPRINTS_MERGED = "two-fingerprints-merged"
LABELS_LOST = "labels-lost"
BATCH_400 = "batch-400-on-one-bad"
LISTS_FEWER = "207-lists-fewer"
HIDES_FAILURES = "207-hides-failures"
BREAKER_FLAPS = "breaker-flaps"
BREAKER_LEAKS = "breaker-open-but-calls-go"
READY_WHILE_REFUSING = "ready-while-refusing"
RECOVERY_LATE = "recovery-late"
OVERLAP_DROPS = "drop-when-faults-overlap"
LAST_LOST = "last-alert-lost"
TWO_CRDS_ON_RETRY = "two-crds-on-retry"
COUNTED_THEN_DROPPED = "counted-then-dropped"
COUNTERS_WRONG = "counters-wrong"
PAYLOAD_LOST = "payload-lost"
FAILS_ONE = "207-fails-one"
METRICS_FAIL = "metrics-fail-on-redis-failure"
CONTENTS_SWAPPED = "crd-holds-another-alert"
LOST_AT_RECOVERY = "first-after-recovery-lost"

UNSENT_CRD_EVERY = 10
MERGED_EVERY = 10
FLAP_EVERY = 10
FAILS_ONE_EVERY = 5
MISCOUNTED_EVERY = 5
RETRIED_EVERY = 10
SWAPPED_EVERY = 10


KNOWN = {
    defect.name: defect
    for defect in (
        Defect(ACK_THEN_DROP, Value.NONE, "answers 2xx but creates nothing while Redis is away"),
        Defect(BREAKER_NEVER_OPENS, Value.NONE, "the breaker stays closed however often Redis fails"),
        Defect(BREAKER_OPENS_LATE, Value.SECONDS, "the breaker opens that long after the first failure"),
        Defect(BREAKER_NEVER_CLOSES, Value.NONE, "the breaker stays half-open when Redis is back"),
        Defect(DROP_ONE_IN, Value.COUNT, "acknowledges and drops every N-th alert, without any fault"),
        Defect(
            TWO_CRDS,
            Value.NONE,
            "a CRD made while Redis is away gets a random name, so a duplicate makes another",
        ),
        Defect(
            UNSENT_CRD,
            Value.NONE,
            f"every {UNSENT_CRD_EVERY}th created CRD brings one for an alert nobody sent",
        ),
        Defect(
            COUNT_LOST, Value.NONE, "a conflicting update of occurrenceCount is given up and called counted"
        ),
        Defect(METRICS_HANG, Value.NONE, "/metrics does not answer while the breaker is not closed"),
        Defect(
            REJECT_WITH_429, Value.NONE, "refuses with 429 instead of 503, and refuses while Redis is away"
        ),
        Defect(
            REJECT_WITH_500, Value.NONE, "refuses with 500 instead of 503, and refuses while Redis is away"
        ),
        Defect(CRASH, Value.NONE, "exits with 1 at the first Redis error"),
        Defect(BUFFER_IN_MEMORY_ONLY, Value.NONE, "acknowledges a buffered alert that is not in Redis"),
        Defect(EXPIRY_DROPS, Value.NONE, "a storm buffer that expires is thrown away"),
        Defect(EVICTION_DROPS, Value.NONE, "a storm buffer is trusted to Redis alone, which may evict it"),
        Defect(COUNT_TWICE, Value.NONE, "an update that succeeds after a conflict counts its alert twice"),
        Defect(BACKOFF_FLAT, Value.NONE, "every pause between tries is as short as the first"),
        Defect(QUEUE_DROPS, Value.NONE, "says queued of an alert that met a 429, and drops it"),
        Defect(POOL_EXHAUSTED, Value.NONE, "never gives a Redis connection back to the pool"),
        Defect(
            FINGERPRINTS_MERGED,
            Value.NONE,
            f"every {MERGED_EVERY}th alert is taken for the one before it",
        ),
        Defect(LABELS_LOST, Value.NONE, "CRDs are made without the labels of their alert"),
        Defect(BATCH_400, Value.NONE, "one unusable alert has all of its request refused with 400"),
        Defect(LISTS_FEWER, Value.NONE, "a 207 leaves out the last alert of the request"),
        Defect(HIDES_FAILURES, Value.NONE, "a 207 calls created what failed, also when everything did"),
        Defect(BREAKER_FLAPS, Value.NONE, f"every {FLAP_EVERY}th good answer of Redis opens the breaker"),
        Defect(BREAKER_LEAKS, Value.NONE, "the breaker says open and lets every call through"),
        Defect(READY_WHILE_REFUSING, Value.NONE, "/readyz says ready while no alert can be taken"),
        Defect(RECOVERY_LATE, Value.SECONDS, "the breaker closes that long after Redis is back"),
        Defect(
            OVERLAP_DROPS, Value.NONE, "acknowledges and drops what meets Redis and the Kubernetes API away"
        ),
        Defect(LAST_LOST, Value.NONE, "writes an alert only when the next one comes; the last one never is"),
        Defect(
            TWO_CRDS_ON_RETRY,
            Value.NONE,
            f"leaves every {RETRIED_EVERY}th alert unanswered, and makes another CRD when it is sent again",
        ),
        Defect(COUNTED_THEN_DROPPED, Value.COUNT, "counts every N-th alert as a created CRD, and drops it"),
        Defect(
            COUNTERS_WRONG, Value.NONE, f"every {MISCOUNTED_EVERY}th created CRD is missing from the counter"
        ),
        Defect(PAYLOAD_LOST, Value.NONE, "CRDs are made without the payload of their alert"),
        Defect(
            FAILS_ONE,
            Value.NONE,
            f"of every {FAILS_ONE_EVERY}th request of several, one alert fails in a 207",
        ),
        Defect(METRICS_FAIL, Value.NONE, "/metrics answers 500 while the breaker is not closed"),
        Defect(
            CONTENTS_SWAPPED,
            Value.NONE,
            f"every {SWAPPED_EVERY}th CRD has its own fingerprint, and the contents of the alert before",
        ),
        Defect(
            LOST_AT_RECOVERY, Value.NONE, "the first alert after Redis came back is acknowledged and dropped"
        ),
        *noise.TABLE,
    )
}


class DefectError(ValueError):
    """GATEWAY_DEFECTS names a defect that does not exist, or gives it a value it cannot have."""


class Defects:
    """The defects planted in one Gateway, with the values they were given."""

    def __init__(self, planted: dict[str, float], on_bite: Callable[[str], None] = lambda name: None) -> None:
        self.planted = planted
        self.on_bite = on_bite
        self._seen = dict.fromkeys(planted, 0)

    def bite(self, name: str) -> bool:
        """True, and counted, when the defect is planted: the caller now misbehaves."""
        if name not in self.planted:
            return False
        self.on_bite(name)
        return True

    def bite_every(self, name: str, nth: float | None = None) -> bool:
        """As `bite`, but only at every `nth` question; without `nth`, at every N-th of the defect's value."""
        return self.count_every(name, nth) and self.bite(name)

    def count_every(self, name: str, nth: float | None = None) -> bool:
        """As `bite_every`, without a bite: what follows of it is one, or not."""
        if name not in self.planted:
            return False
        self._seen[name] += 1
        return self._seen[name] % int(nth or self.planted[name]) == 0

    def planted_of(self, *names: str) -> str | None:
        """The first of `names` that is planted."""
        return next((name for name in names if name in self.planted), None)


def parse(text: str) -> dict[str, float]:
    """Names and values of a comma list such as "unsent-crd,drop-one-in=20"; 0.0 stands for no value.

    Raises DefectError, naming what exists.
    """
    planted = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = item.partition("=")
        if name not in KNOWN:
            known = ", ".join(defect.usage for defect in KNOWN.values())
            raise DefectError(f"GATEWAY_DEFECTS: no defect is called {name!r}; there are: {known}")
        planted[name] = _value(KNOWN[name], item, value)
    return planted


def _value(defect: Defect, item: str, text: str) -> float:
    if defect.value is Value.NONE:
        if text:
            raise DefectError(f"GATEWAY_DEFECTS: {item!r}: this defect takes no value; write {defect.usage}")
        return 0.0
    try:
        value = float(text) if defect.value is Value.SECONDS else float(int(text))
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e9:
        wanted = "seconds above 0" if defect.value is Value.SECONDS else "a whole number above 0"
        raise DefectError(f"GATEWAY_DEFECTS: {item!r} needs {wanted}; write {defect.usage}")
    return value
