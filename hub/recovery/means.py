"""What all looks share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hub.log.base import Log
from hub.recovery.away import Away
from hub.recovery.hearing import Hearing
from hub.renaming import Renames
from hub.telling import Teller


@dataclass(frozen=True)
class Means:
    """What all looks share: the log, who listens to it, who tells; former names, absences."""

    log: Log
    hearing: Hearing
    teller: Teller
    renames: Renames
    away: Away
    clock: Callable[[], datetime]
