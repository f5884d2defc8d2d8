from collections.abc import Callable, Iterable, Sequence

from shapes.alerts import Planned
from shapes.phase import AlertRecipe

API: int

class Template:
    """A text with places for an alert's number, time and fingerprint.

    Args:
        text: one of them, whole.
        digits: where its number stands, ``width`` digits long.
        times: where its time stands, 27 characters long.
        prints: where its fingerprint stands.
        hashed: what the fingerprint is the hash of, cut where the number stands.
        lowest: the lowest number that it is for; the highest is the last of ``width`` digits.
    """

    def __new__(
        cls,
        text: bytes,
        digits: tuple[int, ...],
        times: tuple[int, ...],
        prints: tuple[int, ...],
        hashed: tuple[bytes, ...],
        lowest: int,
        width: int,
    ) -> Template: ...
    def requests(
        self, posts: Iterable[Sequence[Planned]], recipe: AlertRecipe, wall: Callable[[float], str] | int
    ) -> list[bytes | None]:
        """Return the text of each POST that is one plain alert of the recipe, None of each other.

        Args:
            wall: writes a time; or the microseconds of the wall clock at second 0.
        """

    def entries(
        self, batch: Iterable[Planned], recipe: AlertRecipe, wall: Callable[[float], str] | int
    ) -> bytes | None:
        """Return the texts of alerts, joined by commas; None if one is not plain, or not of the recipe."""
