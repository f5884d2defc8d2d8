"""Silence: requests that are not answered, by a planted defect or a noise."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from sandbox.gateway import defects as planted
from sandbox.gateway import noise
from sandbox.gateway.defects import Defects
from sandbox.gateway.webhook import Alert, WebhookError


class Silence:
    """Decides which requests stay unanswered; only those of one alert do."""

    def __init__(self, defects: Defects) -> None:
        self._defects = defects
        self._withheld: Counter[str] = Counter()
        self.unanswered: set[str] = set()  # fingerprints whose sender was left without an answer

    def swallows(self, alerts: list[Alert | WebhookError]) -> bool:
        """Whether a request is to be neither recorded nor answered."""
        return len(alerts) == 1 and self._defects.bite_every(noise.SWALLOWS)

    def withholds(self, alerts: list[Alert | WebhookError]) -> bool:
        """Whether the answer to a request, which was recorded, is to be withheld."""
        if len(alerts) != 1 or isinstance(alerts[0], WebhookError):
            return False
        fingerprint = alerts[0].fingerprint
        if fingerprint in self.unanswered:
            self._withheld[fingerprint] += 1
            again = self._withheld[fingerprint] < noise.TOLD_AT_LAST - 1
            return again and self._defects.bite(noise.ANSWER_LOST)
        chosen = self._defects.bite_every(noise.ANSWER_LOST) or (
            self._defects.count_every(planted.TWO_CRDS_ON_RETRY, planted.RETRIED_EVERY)
        )
        if chosen:
            self.unanswered.add(fingerprint)
        return chosen

    @staticmethod
    async def keep(request: Request) -> Response:
        """Say nothing until the sender has gone."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response()
