"""What is followed beside the probes while a run lasts: the RemediationRequests, and the pods' records."""

from __future__ import annotations

from pathlib import Path

from chaos_hooks import cluster_probe
from chaos_hooks.pod_records import PodRecords
from chaos_hooks.request_watch import RequestWatch
from chaos_hooks.truth import Truth
from reports import truth_file
from shapes.alerts import Naming
from shapes.target import Endpoints


class Followers:
    """Begins to follow when it is made, and writes the truth at the end, with what was deleted before."""

    def __init__(self, truth: Truth, naming: Naming, endpoints: Endpoints, folder: Path) -> None:
        self._truth = truth
        self._naming = naming
        self._folder = folder
        self._watch = RequestWatch(truth, naming)
        self._watch.start()
        self._records = PodRecords(endpoints, folder) if cluster_probe.watches(endpoints) else None
        if self._records:
            self._records.start()

    def collect(self, for_s: float) -> None:
        """Read the truth, for at most ``for_s`` seconds until it holds still, and write it down.

        Raises:
            TruthError: if it cannot be read.
        """
        found, stable = self._truth.read_until_stable(self._naming, for_s)
        resources, gone = self._watch.with_deleted(found)
        watched = {"deleted": gone, "gaps": self._watch.gaps, "error": self._watch.error}
        truth_file.write(self._folder, resources, stable=stable, watched=watched)

    def stop(self) -> None:
        """Follow no more."""
        self._watch.stop()
        if self._records:
            self._records.stop()
