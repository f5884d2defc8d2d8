"""Cuts: the stages of timeout, reset_peer and limit_data, which drop data and end the connection."""

from sandbox.toxiproxy.stage import Stage
from sandbox.toxiproxy.toxic import Attributes, LimitData, ResetPeer, Timeout


class TimeoutStage(Stage):
    """Data is dropped; the end comes after so long without data, or with the removal of the toxic."""

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, Timeout)
        self._timeout_s = attributes.timeout / 1000

    def begin(self) -> None:
        """An idle connection, too, is closed when its time is over."""
        self._cancel()
        if self.active and self._timeout_s > 0:
            self._wake(self._timeout_s, self.close)

    def _work(self, data: bytes, at_s: float) -> None:
        self.begin()

    def _changed(self) -> None:
        self.begin()

    def leave(self) -> None:
        """Close: the stream has a hole. As in the original, also where toxicity spared the connection."""
        self.close()


class ResetPeerStage(Stage):
    """The first data, or the end, sets the clock for a reset."""

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, ResetPeer)
        self._timeout_s = attributes.timeout / 1000
        self._fired = False

    def _fire(self) -> None:
        if not self._fired:
            self._fired = True
            self._wake(self._timeout_s, self._reset)

    def _reset(self) -> None:
        self.closed = True
        self._cancel()
        self._around.reset()

    def _work(self, data: bytes, at_s: float) -> None:
        self._fire()

    def _work_end(self) -> None:
        self._fire()

    def change(self, attributes: Attributes, active: bool) -> None:
        """What has fired resets: data is lost already."""
        fired = self._fired
        super().change(attributes, active)
        if fired:
            self._reset()

    def leave(self) -> None:
        """What has fired resets."""
        if self._fired:
            self._reset()
        else:
            self.release()


class LimitDataStage(Stage):
    """So many bytes pass, counted from the toxic's beginning on this connection; then comes the end."""

    def __init__(self, *arguments: object) -> None:
        self._passed = 0
        super().__init__(*arguments)  # type: ignore[arg-type]

    def _set(self, attributes: Attributes) -> None:
        assert isinstance(attributes, LimitData)
        self._limit = attributes.bytes

    def _work(self, data: bytes, at_s: float) -> None:
        data = data[: max(0, self._limit - self._passed)]
        if data:
            self._passed += len(data)
            self.after.take(data, at_s)
        if self._passed >= self._limit:
            self.close()
