"""What the callbacks of one hub work with, and for whom."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hub.callbacks.sending import Sender
from hub.callbacks.timing import Timing
from hub.counting import Counts
from hub.http import Poster
from hub.log.base import Log
from hub.rules import Subscription
from hub.subscriptions import Registry


@dataclass(frozen=True, slots=True)
class Tools:
    """What every runner of a hub works with."""

    log: Log
    registry: Registry
    poster: Poster
    sender: Sender
    timing: Timing
    clock: Callable[[], datetime]
    public_url: str
    counts: Counts


def is_told(subscription: Subscription, now: datetime) -> bool:
    """Whether anything is to be posted for a subscription now."""
    awake = not subscription.paused and subscription.expires_at > now
    return subscription.callback is not None and awake
