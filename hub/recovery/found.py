"""What came of a look."""

from dataclasses import dataclass, field
from datetime import datetime

from hub.forges.errors import ForgeError, ForgeRefused

MOST_TROUBLES = 5  # of which is told; a wrong name is one, and there may be thousands


@dataclass
class Found:
    """
    What came of a look.

    Attributes:
        at: when it began.
        repositories: how many were looked at.
        redelivered: how many deliveries the forge was asked to repeat.
        synthesised: how many pushes the hub told itself.
        is_moving: whether a ref was on its way, and is to be compared once more.
        is_unfinished: whether the forge may tell more soon; what it refuses it refuses for good.
    """

    at: datetime
    repositories: int = 0
    redelivered: int = 0
    synthesised: int = 0
    is_moving: bool = False
    is_unfinished: bool = False
    _troubles: dict[str, None] = field(default_factory=dict)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What could not be asked, and what to do about it."""
        told = list(self._troubles)
        more = len(told) - MOST_TROUBLES
        return (*told[:MOST_TROUBLES], *([f"and {more} more like these"] if more > 0 else ()))

    def note(self, error: ForgeError) -> None:
        """Take note of something that could not be asked."""
        self._troubles[f"{error}; {error.next_step}"] = None
        self.is_unfinished |= not isinstance(error, ForgeRefused)
