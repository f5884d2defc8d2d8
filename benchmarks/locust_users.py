"""Locust's own clients, for comparison: users of one of them post the same alert as fast as they can."""

from __future__ import annotations

import os

from locust import FastHttpUser, HttpUser, task

BODY = open(os.environ["BENCH_BODY"], "rb").read()  # noqa: SIM115
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
