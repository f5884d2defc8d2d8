"""A row of the matrix: which Gateway in which scenario, and what the harness must say of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One known defect, or one innocent.

    ``plants`` is what the Gateway is given (GATEWAY_DEFECTS). Of a defect ``wants`` names the criterion that
    must convict it, and ``allows`` those that may fail along with it, as ``why`` says; any other failing is a
    miss. An innocent has no ``wants``: its verdict must be one of ``states``, with no criterion failed and
    none undecided but ``allows``.

    ``act`` is what the selftest itself does: pause (stop the generator for a while). ``answer_s`` is how long
    the sender waits for an answer (0: as shipped); ``lacks`` makes the target one that has not what the
    scenario breaks. ``slow`` is a row whose scenario, with its settling, lasts for more than 15 s;
    ``extra`` one that was thought of after the criteria, to see whether they rest on what can be observed.
    """

    name: str
    scenario: str
    plants: str = ""
    wants: str = ""
    allows: tuple[str, ...] = ()
    why: str = ""
    states: tuple[str, ...] = ("PASS",)
    act: str = ""
    answer_s: float = 0.0
    lacks: str = ""
    slow: bool = False
    extra: bool = False

    @property
    def control(self) -> bool:
        """Whether it is a defect's run with the defect off."""
        return self.name.startswith("off: ")

    @property
    def few(self) -> bool:
        """Whether fewer runs of it are asked for: it is slow, a control, or extra."""
        return self.slow or self.control or self.extra

    @property
    def planted(self) -> list[str]:
        """The names of what must bite, else the run proves nothing."""
        return [each.partition("=")[0] for each in self.plants.split(",") if each]
