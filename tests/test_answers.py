"""Answers: what may be believed of each alert, over every reach, status and body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_hooks import answers
from chaos_hooks.answers import Answer
from chaos_hooks.exchange import Exchange
from reports.history import Outcome
from shapes.target import AnswerRules

RULES = AnswerRules(acked={"created": "created", "duplicate": "duplicate", "accepted": "aggregated"})
CREATED = Answer(Outcome.ACKED, "created")
DUPLICATE = Answer(Outcome.ACKED, "duplicate")


def unsafe(detail: str) -> Answer:
    return Answer(Outcome.REJECTED, "unsafe", detail)


def done(status: int, body: Any, *, framed: bool = True) -> Exchange:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange("done", 1.0, 2.0, status, data, "", framed)


@pytest.mark.parametrize(
    ("reached", "outcome"),
    [
        ("connect", Outcome.UNSENT),
        ("send", Outcome.INDETERMINATE),
        ("answer", Outcome.INDETERMINATE),
        ("body", Outcome.INDETERMINATE),
    ],
)
def test_without_a_whole_answer_the_reach_decides(reached: str, outcome: Outcome) -> None:
    """A header with 201 and half a body is no acknowledgement."""
    exchange = Exchange(reached, 1.0, 2.0, 201, b'{"status":"created"}', f"{reached}: timed out")
    told = Answer(outcome, reached, f"{reached}: timed out")
    assert answers.read(exchange, ["a", "b"], RULES) == [told, told]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {"status": "created"}, CREATED),
        (202, {"status": "duplicate", "duplicate": True}, DUPLICATE),
        (202, {"status": "accepted", "isStorm": True}, Answer(Outcome.ACKED, "aggregated")),
        (200, {"results": [{"status": "created"}]}, CREATED),
        (207, {"results": [{"status": "created"}]}, CREATED),
        (
            200,
            {"status": "rejected", "rejection": {"reason": "unmanaged_resource"}},
            unsafe("HTTP 200: status 'rejected' does not say that it was taken; unmanaged_resource"),
        ),
        (201, {"state": "created"}, unsafe("HTTP 201: says no status")),
        (201, {"status": ["created"]}, unsafe("HTTP 201: status ['created'] does not say that it was taken")),
        (201, b"", unsafe("HTTP 201 with an empty body")),
        (204, b"", unsafe("HTTP 204 with an empty body")),
        (200, b"OK", unsafe("HTTP 200 with a body that is no JSON object")),
        (200, "created", unsafe("HTTP 200 with a body that is no JSON object")),
        (200, b"[" * 200_000, unsafe("HTTP 200 with a body that is no JSON object")),
        (200, b"\xff{}", unsafe("HTTP 200 with a body that is no JSON object")),
        (207, {"status": "created"}, unsafe("HTTP 207 without a list of results")),
        (200, {"status": "created", "results": 3}, unsafe("HTTP 200 without a list of results")),
        (207, {"results": []}, unsafe("HTTP 207: not in the answer's results")),
        (
            207,
            {"results": [{"status": "failed", "error": "no\n  redis"}]},
            unsafe("HTTP 207, result: status 'failed' does not say that it was taken; no redis"),
        ),
        (307, b"", unsafe("HTTP 307")),
        (400, {"detail": "no alertname"}, unsafe("HTTP 400; no alertname")),
        (429, b"Server capacity exceeded.", unsafe("HTTP 429")),
        (500, {"title": "Internal"}, Answer(Outcome.REJECTED, "safe", "HTTP 500; Internal")),
        (503, b"", Answer(Outcome.REJECTED, "safe", "HTTP 503")),
        (502, b"", Answer(Outcome.INDETERMINATE, "answer", "HTTP 502: it may have been taken")),
        (504, b"", Answer(Outcome.INDETERMINATE, "answer", "HTTP 504: it may have been taken")),
        (99, b"", Answer(Outcome.INDETERMINATE, "answer", "HTTP 99: it may have been taken")),
        (999, b"", Answer(Outcome.INDETERMINATE, "answer", "HTTP 999: it may have been taken")),
    ],
)
def test_a_whole_answer_to_one_alert(status: int, body: Any, expected: Answer) -> None:
    """Only a 2xx whose body says so is an acknowledgement; only a 5xx would be sent again by Alertmanager."""
    assert answers.read(done(status, body), ["a"], RULES) == [expected]


def test_the_profile_says_what_is_safe_and_behind_what_a_taken_alert_may_hide() -> None:
    rules = AnswerRules(safe=(429,), indeterminate=(500, 202))
    told = [answers.read(done(s, {"status": "created"}), ["a"], rules)[0] for s in (429, 400, 500, 504, 202)]
    assert [(a.outcome, a.kind) for a in told] == [
        (Outcome.REJECTED, "safe"),
        (Outcome.REJECTED, "unsafe"),
        (Outcome.INDETERMINATE, "answer"),
        (Outcome.REJECTED, "safe"),
        (Outcome.INDETERMINATE, "answer"),
    ]


@pytest.mark.parametrize("body", [b"", b'{"status":"crea'])
def test_a_body_that_may_be_cut_decides_nothing(body: bytes) -> None:
    """The connection's end was the body's only end: what cannot be read may have said anything."""
    detail = "HTTP 201: the body ended with the connection, and may be cut"
    told = answers.read(done(201, body, framed=False), ["a"], RULES)
    assert told == [Answer(Outcome.INDETERMINATE, "body", detail)]


def test_a_body_that_is_whole_json_counts_though_only_the_connection_ended_it() -> None:
    assert answers.read(done(201, {"status": "created"}, framed=False), ["a"], RULES) == [CREATED]


def test_one_status_word_speaks_of_the_first_alert_only() -> None:
    """A Gateway that reads alerts[0] answers 201 and drops the others, which nobody will send again."""
    dropped = unsafe("HTTP 201 speaks of the POST's first alert only")
    assert answers.read(done(201, {"status": "created"}), ["a", "b", "c"], RULES) == [
        CREATED,
        dropped,
        dropped,
    ]


FAILED = unsafe("HTTP 207, result: status 'failed' does not say that it was taken")
MISSING = unsafe("HTTP 207: not in the answer's results")


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        # By index, whatever the order.
        (
            [{"index": 1, "status": "failed"}, {"index": 0, "status": "created"}],
            [CREATED, FAILED, MISSING],
        ),
        # Two items of one alert: the refusal counts.
        (
            [{"index": 0, "status": "created"}, {"index": 0, "status": "failed"}],
            [FAILED, MISSING, MISSING],
        ),
        ([{"index": True, "status": "created"}, {"index": 9, "status": "created"}], [MISSING] * 3),
        # By position, if the number fits; fingerprints of the server's own making do not disturb.
        (
            [{"status": "created", "fingerprint": f"own {n}"} for n in range(2)] + [{"status": "failed"}],
            [CREATED, CREATED, FAILED],
        ),
        # By fingerprint, if they are those that were sent.
        (
            [
                {"status": "failed", "fingerprint": "c"},
                {"status": "created", "fingerprint": "a"},
                {"status": "duplicate", "fingerprint": "b"},
            ],
            [CREATED, DUPLICATE, FAILED],
        ),
        # By fingerprint, if some are missing.
        ([{"status": "created", "fingerprint": "c"}], [MISSING, MISSING, CREATED]),
        ([{"status": "created"}], [MISSING] * 3),
        (["created", None, 3], [unsafe("HTTP 207, result: says no status")] * 3),
    ],
)
def test_results_are_matched_to_the_alerts(results: list[Any], expected: list[Answer]) -> None:
    """207 is a success to Alertmanager: what failed in it, or is not in it, is lost."""
    assert answers.read(done(207, {"results": results}), ["a", "b", "c"], RULES) == expected


def test_equal_fingerprints_in_one_post_are_matched_in_order() -> None:
    results = [{"status": "created", "fingerprint": "a"}, {"status": "duplicate", "fingerprint": "a"}]
    assert answers.read(done(207, {"results": results}), ["a", "a"], RULES) == [CREATED, DUPLICATE]


def test_details_are_short_and_can_be_written() -> None:
    told = answers.read(done(400, {"detail": "\ud800 " + "x" * 1000}), ["a"], RULES)[0].detail
    assert len(told) <= 200
    assert told.encode()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["created", "duplicate", "failed", "a"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["status", "results", "index", "fingerprint", "error", "rejection"]), inner
        )
    ),
    max_leaves=12,
)
EXCHANGES = st.builds(
    Exchange,
    reached=st.sampled_from(["connect", "send", "answer", "body", "done", "done", "done"]),
    sent_s=st.none() | st.floats(0, 10),
    done_s=st.floats(0, 10),
    status=st.none() | st.integers(0, 999) | st.sampled_from([200, 201, 202, 207]),
    body=st.binary(max_size=20) | JSON.map(lambda value: json.dumps(value).encode()),
    error=st.text(max_size=10),
    framed=st.booleans(),
)


@given(EXCHANGES, st.lists(st.sampled_from("abc"), max_size=5))
def test_every_alert_gets_one_answer_and_none_is_acked_without_a_whole_2xx(
    exchange: Exchange, fingerprints: list[str]
) -> None:
    told = answers.read(exchange, fingerprints, RULES)
    assert len(told) == len(fingerprints)
    whole = exchange.reached == "done" and exchange.status is not None and 200 <= exchange.status < 300
    assert whole or not any(answer.outcome is Outcome.ACKED for answer in told)
    # Unsent is a proof, not a guess.
    assert all((a.outcome is Outcome.UNSENT) == (exchange.reached == "connect") for a in told)
