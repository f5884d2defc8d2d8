"""Locust's own clients, for comparison: users of one of them post the same alert as fast as they can."""

from __future__ import annotations

import os
from pathlib import Path

from locust import FastHttpUser, HttpUser, task

BODY = Path(os.environ["BENCH_BODY"]).read_text() if "BENCH_BODY" in os.environ else ""
HEADERS = {"Content-Type": "application/json"}
PATH = "/api/v1/signals/prometheus"


class Fast(FastHttpUser):
    """FastHttpUser, with geventhttpclient."""

    @task
    def post(self) -> None:
        """Post once."""
        self.client.post(PATH, data=BODY, headers=HEADERS)


class Plain(HttpUser):
    """HttpUser, with requests."""

    @task
    def post(self) -> None:
        """Post once."""
        self.client.post(PATH, data=BODY, headers=HEADERS)
