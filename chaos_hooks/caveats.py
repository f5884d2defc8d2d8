"""What somebody else has to set, or name, for a run against a target that it does not start."""

from __future__ import annotations

import itertools
import shlex

from chaos_hooks import cluster_probe
from chaos_hooks.campaign import Entry
from shapes.target import Endpoints

_ENV = "--gateway-env"
_STRIKES = ("chaos_mesh", "kubernetes")  # What may end or unready pods.


def caveats(entry: Entry, endpoints: Endpoints) -> list[str]:
    """Return a sentence for each setting of the scenario that this target does not get from the run."""
    if entry.target.start:
        return []
    told = []
    settings = [word for flag, word in _pairs(entry.scenario.start_args) if flag == _ENV]
    if settings:
        told.append(
            "the Gateway must be set as the scenario's start_args set the reference one; nobody passes "
            f"them on here: {', '.join(settings)}"
        )
    blind = [
        p for p in entry.scenario.promises if p.criterion == "no_cascade" and not p.options.get("targets")
    ]
    strikes = any(fault.inject in _STRIKES for fault in entry.scenario.faults)
    if blind and strikes and cluster_probe.watches(endpoints):
        told.append(
            "no_cascade: nobody tells whose end was wanted in a cluster, so it convicts the faults' own "
            f"pods; name them in its targets (of {', '.join(sorted(endpoints.pods))})"
        )
    return told


def _pairs(text: str) -> list[tuple[str, str]]:
    words = shlex.split(text)
    return list(itertools.pairwise(words))
