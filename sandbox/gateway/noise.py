"""Noises: ways of being odd and yet right. None of them breaks a promise, and no criterion may say so."""

from sandbox.gateway.defect import Defect, Value

SWALLOWS = "noise-swallows-one-in"
ANSWER_LOST = "noise-answer-lost-one-in"
METRICS_MISS = "noise-metrics-miss-one-in"
METRICS_SLOW = "noise-metrics-slow"
FOREIGN_CRD = "noise-foreign-crd"
ANSWER_SLOW = "noise-answer-slow"
DELETED = "noise-deleted-one-in"
UPPER_CASE = "noise-fingerprint-upper-case"

FOREIGN_EVERY = 10
# As a controller that has done its work, and keeps nothing.
DELETED_AFTER_S = 0.5
# How often an alert whose answer is lost has to be sent until it is told.
TOLD_AT_LAST = 3

TABLE = (
    Defect(SWALLOWS, Value.COUNT, "every N-th alert is neither recorded nor answered"),
    Defect(
        ANSWER_LOST,
        Value.COUNT,
        f"every N-th new alert is recorded, and answered only when it is sent the {TOLD_AT_LAST}rd time",
    ),
    Defect(METRICS_MISS, Value.COUNT, "every N-th scrape of /metrics is answered with 500"),
    Defect(METRICS_SLOW, Value.SECONDS, "/metrics takes that long"),
    Defect(FOREIGN_CRD, Value.NONE, f"every {FOREIGN_EVERY}th created CRD brings one of somebody else's"),
    Defect(ANSWER_SLOW, Value.SECONDS, "every answer takes that long"),
    Defect(DELETED, Value.COUNT, "every N-th CRD is deleted soon after, as by a controller"),
    Defect(UPPER_CASE, Value.NONE, "fingerprints are written in capitals"),
)
