"""What is posted: a notification, or that some may be missing."""

import json
from dataclasses import dataclass

from hub.log.values import Cursor, Event, Gap

GAP_TYPE = "dev.directcd.gap.v1"


@dataclass(frozen=True, slots=True)
class Letter:
    """
    What is posted; both are the same at every attempt, so that a receiver knows what it has had.

    Attributes:
        webhook_id: names the event and the subscription.
        body: a CloudEvent.
    """

    webhook_id: str
    body: bytes


def notification(subscription_id: str, event: Event) -> Letter:
    """An event, in the bytes that every subscriber receives."""
    return Letter(f"{subscription_id}_{event.cursor}", event.message)


def again(subscription_id: str, body: bytes) -> Letter:
    """What was posted before: its id is made of the CloudEvent's own."""
    return Letter(f"{subscription_id}_{json.loads(body)['id']}", body)


def gap_notice(subscription_id: str, gap: Gap, behind: Cursor, *, public_url: str) -> Letter:
    """That the log cannot continue behind a cursor: the receiver looks at everything once."""
    document = {
        "specversion": "1.0",
        "id": f"gap-{behind}",
        "source": f"{public_url}/v1/subscriptions/{subscription_id}",
        "type": GAP_TYPE,
        "datacontenttype": "application/json",
        "data": {"reason": gap.reason},
    }
    return again(subscription_id, json.dumps(document).encode())
