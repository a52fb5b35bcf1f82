"""How long callbacks wait for what."""

import random
from dataclasses import dataclass

RETRY_AFTER_MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Timing:
    """
    Durations in seconds.

    Attributes:
        lease_seconds: how long a hub that vanished keeps others from going on.
        first_pause_seconds: after the first failure; pauses double.
        longest_pause_seconds: where they stop doubling.
        retry_seconds: how long one event is tried before it becomes a dead letter.
        save_seconds: the shortest time between two savings of progress.
        idle_seconds: how often a subscription for which nothing comes moves on, so that it stays
            within the log's reach.
        last_request_seconds: what a request in flight still gets when the hub stops.
        leave_seconds: what saving and giving up the leases may take then.
    """

    lease_seconds: float = 10.0
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 3600.0
    retry_seconds: float = 86_400.0
    save_seconds: float = 0.25
    idle_seconds: float = 60.0
    last_request_seconds: float = 0.5
    leave_seconds: float = 0.3

    @property
    def renew_seconds(self) -> float:
        """Two renewals may fail before a lease is lost."""
        return self.lease_seconds / 3

    @property
    def most_pause_seconds(self) -> float:
        """No pause is longer, whoever asked for it."""
        return max(self.longest_pause_seconds, RETRY_AFTER_MOST_SECONDS)

    def pause_seconds(self, failures: int, retry_after_seconds: float = 0.0) -> float:
        """
        The pause after so many failures: jittered by up to a quarter, so that many spread out.

        A receiver that asks for more patience is given it, up to an hour.
        """
        doubled = self.first_pause_seconds * 2.0 ** min(failures - 1, 30)
        pause = min(doubled, self.longest_pause_seconds) * random.uniform(0.75, 1.0)  # noqa: S311 - jitter is no secret
        return max(pause, min(retry_after_seconds, RETRY_AFTER_MOST_SECONDS))
