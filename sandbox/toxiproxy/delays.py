"""Delays: the stages of latency, bandwidth, slicer and slow_close. They hold data or the end, losing none."""

import time
from collections import deque

from sandbox.toxiproxy.stage import Holding, Stage
from sandbox.toxiproxy.toxic import Attributes, Bandwidth, Latency, Slicer, SlowClose

_BANDWIDTH_PIECE_S = 0.1  # as in the original, a low rate comes in ten steps a second


class LatencyStage(Holding):
    """Each chunk goes latency +- jitter after it was read; chunks keep their order."""

    # Much may be on its way: 4 MB pass in one latency, not in one latency a chunk.
    capacity = 32 * 1024 * 1024

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, Latency)
        self._latency_s = attributes.latency / 1000
        self._jitter_s = max(0, attributes.jitter) / 1000
        self._delays_s = deque(self._delay_s() for _ in self._queue)

    def _delay_s(self) -> float:
        return self._latency_s + self._rng.uniform(-self._jitter_s, self._jitter_s)

    def _queued(self, was_empty: bool, now_s: float) -> None:
        self._delays_s.append(self._delay_s())

    def _wait_s(self, now_s: float) -> float:
        return self._queue[0][1] + self._delays_s[0] - now_s

    def _next(self) -> tuple[bytes, float]:
        data, at_s = self._queue.popleft()
        return data, at_s + max(0.0, self._delays_s.popleft())

    def release(self) -> None:
        """Pass all on."""
        super().release()
        self._delays_s.clear()


class BandwidthStage(Holding):
    """A line that is busy for size / rate seconds with each piece, and hands it on when it is through."""

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, Bandwidth)
        self._bytes_per_s = attributes.rate * 1000
        self._free_at_s = time.monotonic()
        self._piece: bytes | None = None

    def _queued(self, was_empty: bool, now_s: float) -> None:
        if was_empty:
            self._free_at_s = max(self._free_at_s, now_s)

    def _wait_s(self, now_s: float) -> float:
        if self._bytes_per_s <= 0:
            return float("inf")
        if self._piece is None:
            most = max(1, int(self._bytes_per_s * _BANDWIDTH_PIECE_S))
            self._piece = self._queue[0][0][:most]
            self._free_at_s += len(self._piece) / self._bytes_per_s
        return self._free_at_s - now_s

    def _next(self) -> tuple[bytes, float]:
        piece, (data, at_s) = self._piece, self._queue[0]
        assert piece is not None
        self._piece = None
        if len(piece) == len(data):
            self._queue.popleft()
        else:
            self._queue[0] = (data[len(piece) :], at_s)
        return piece, at_s

    def release(self) -> None:
        """Pass all on."""
        self._piece = None
        super().release()


class SlicerStage(Holding):
    """Chunks are cut in halves until they are about of the average size; pieces go delay apart."""

    one_piece_a_turn = True

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, Slicer)
        self._average = max(1, attributes.average_size)
        self._variation = max(0, attributes.size_variation)
        self._delay_s = max(0, attributes.delay) / 1_000_000
        self._not_before_s = 0.0

    def _queued(self, was_empty: bool, now_s: float) -> None:
        data, at_s = self._queue.pop()
        self._queue.extend((piece, at_s) for piece in self._sliced(data))

    def _sliced(self, data: bytes) -> list[bytes]:
        size = len(data)
        if size - self._average <= self._variation or size < 2:
            return [data]
        middle = size // 2
        if self._variation:
            middle += self._rng.randrange(-self._variation, self._variation)
        middle = min(max(1, middle), size - 1)
        return self._sliced(data[:middle]) + self._sliced(data[middle:])

    def _wait_s(self, now_s: float) -> float:
        return self._not_before_s - now_s

    def _next(self) -> tuple[bytes, float]:
        self._not_before_s = time.monotonic() + self._delay_s
        return self._queue.popleft()


class SlowCloseStage(Stage):
    """The end waits; data does not."""

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, SlowClose)
        self._delay_s = attributes.delay / 1000

    def _work_end(self) -> None:
        self._wake(self._delay_s, self.close)

    def _changed(self) -> None:
        if self._ended:
            self._work_end()
