"""The writer of one storm window: alerts that come at once go into the aggregated CRD by one update."""

import asyncio
from dataclasses import dataclass

from sandbox.gateway import storm_request
from sandbox.gateway.deadline import Deadline
from sandbox.gateway.entry import Entry
from sandbox.gateway.kubernetes_client import KubernetesError
from sandbox.gateway.storm_members import StormMembers
from sandbox.gateway.storm_store import StormStore
from sandbox.gateway.storm_window import Window

# A window with so many members is closed before its time: its CRD is written as a whole with each of them.
MOST_MEMBERS = 500


@dataclass(slots=True, eq=False)
class Added:
    """What became of an entry: in the CRD, as a new member or again, or an error; in none, without an error,
    when the CRD was found to be gone or finished."""

    entry: Entry
    joined: bool = False
    repeats: bool = False
    error: KubernetesError | None = None
    done: bool = False


class WindowWriter:
    """An open window with what waits to be written into its CRD."""

    def __init__(self, window: Window, size: int, store: StormStore, members: StormMembers) -> None:
        self.window = window
        self.size = size
        self._store = store
        self._members = members
        self._lock = asyncio.Lock()
        self._batch: list[Added] = []

    async def add(self, entry: Entry, deadline: Deadline) -> Added:
        """Add an entry, together with those that came while another write was on its way.

        Raises KubernetesError when the API, or the deadline, does not let it finish.
        """
        added = Added(entry)
        self._batch.append(added)
        async with self._lock:
            if not added.done:
                batch, self._batch = self._batch, []
                await self._write(batch, deadline)
        if added.error is not None:
            raise KubernetesError(added.error.reason, str(added.error), added.error.retry_after_s)
        return added

    async def _write(self, batch: list[Added], deadline: Deadline) -> None:
        error = KubernetesError("connection", "the write was cancelled with the request that made it")
        try:
            request = await self._store.add(self.window.crd_name, [added.entry for added in batch], deadline)
        except KubernetesError as failure:
            error = failure
        else:
            self._settle(batch, request)
        finally:
            for added in batch:
                if not added.done:
                    added.error, added.done = error, True
                    # It may have arrived: who tries again shall try it on this CRD.
                    self._members.add([added.entry.fingerprint], self.window.crd_name)

    def _settle(self, batch: list[Added], request: dict[str, object] | None) -> None:
        for added in batch:
            added.done = True
            if request is None:
                continue
            fingerprint = added.entry.fingerprint
            added.repeats = self._members.crd_of(fingerprint) == self.window.crd_name
            self._members.add([fingerprint], self.window.crd_name)
            added.joined = True
        if request is not None:
            self.size = len(storm_request.fingerprints_of(request))
