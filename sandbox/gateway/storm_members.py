"""The members of storms: which aggregated CRD holds a fingerprint, also when Redis does not know it."""

from collections.abc import Iterable

_MOST = 50_000


class StormMembers:
    """From fingerprint to the name of the CRD; the oldest of very many are forgotten."""

    def __init__(self) -> None:
        self._crds: dict[str, str] = {}

    def add(self, fingerprints: Iterable[str], crd_name: str) -> None:
        """Note members of a CRD."""
        for fingerprint in fingerprints:
            self._crds.pop(fingerprint, None)
            self._crds[fingerprint] = crd_name
        while len(self._crds) > _MOST:
            del self._crds[next(iter(self._crds))]

    def crd_of(self, fingerprint: str) -> str | None:
        """The CRD that holds this fingerprint, if any."""
        return self._crds.get(fingerprint)

    def forget(self, fingerprint: str) -> None:
        """Note that its CRD is finished or gone."""
        self._crds.pop(fingerprint, None)
