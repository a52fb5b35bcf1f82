"""How long something took, by the clocks of those who say so; some of them go wrong."""

from datetime import datetime, timedelta

LONGEST = timedelta(days=1)
"""
Of a stage, and of the way from a push to its running version. A build takes hours at most; a
machine that was off for longer tells of itself, and not of the way.
"""


def seconds_between(start: datetime, end: datetime) -> float | None:
    """
    How long that is, or None when it is not believed, and no sum may have it.

    One clock that is years ahead would be more than all else in a sum, for as long as that lives.
    What ended before it began is no time at all: counted as 0 it would make others look faster.
    """
    return (end - start).total_seconds() if timedelta(0) <= end - start <= LONGEST else None
