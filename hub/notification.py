"""
The notification every subscriber receives: CloudEvents 1.0 in structured JSON, one line.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

Only what a subscriber needs to look at git itself: no payload, no people, no commit messages.
"""

import json
import secrets
from datetime import datetime

from adapters import Outcome, RefChange, Repository, repository_keys
from hub.log.base import NewEvent

TYPE = "dev.directcd.push.v1"


def new_events(
    outcome: Outcome, *, origin: str, provider: str, received_at: datetime
) -> list[NewEvent]:
    """
    One event for each ref a delivery says has changed.

    Args:
        outcome: a delivery that subscribers should hear of; it names a repository.
        origin: the CloudEvents `source`, the endpoint that received the delivery.
        provider: the forge's kind.
        received_at: when the delivery arrived, UTC.
    """
    if outcome.repository is None:
        return []
    return [
        _new_event(outcome, change, outcome.repository, (origin, provider, received_at))
        for change in outcome.changes
    ]


def primary_key(repository: Repository) -> str:
    """
    The one key that names a repository: of the URL it is cloned from, with the port if it has one.

    Without the port two forges on one host would be the same, and one's push a repeat of the
    other's. Only the repository's own keys count: a source that may not speak for the clone URL
    must not move that repository's head either.
    """
    keys = repository_keys(repository.clone_url) & repository.keys or repository.keys
    return max(keys, key=lambda key: (len(key), key), default="")


def _new_event(
    outcome: Outcome,
    change: RefChange,
    repository: Repository,
    context: tuple[str, str, datetime],
) -> NewEvent:
    trace_id = secrets.token_hex(16)
    subject = f"{primary_key(repository)}#{change.ref}"
    event_id = f"{subject} {change.before} {change.after}"
    if outcome.test:  # pressing "test" twice is two tests, not a repeat
        event_id += f" {outcome.delivery_id or trace_id}"
    return NewEvent(
        event_id=event_id,
        delivery_key=f"{outcome.delivery_id} {subject}" if outcome.delivery_id else "",
        subject=subject,
        before=change.before,
        after=change.after,
        keys=repository.keys,
        ref=change.ref,
        trace_id=trace_id,
        tail=_tail(outcome, change, repository, (*context, subject, trace_id)),
    )


def _tail(
    outcome: Outcome,
    change: RefChange,
    repository: Repository,
    context: tuple[str, str, datetime, str, str],
) -> bytes:
    # Everything behind `{"specversion":"1.0","id":"<cursor>",`: only the log knows the cursor.
    origin, provider, received_at, subject, trace_id = context
    attributes = {
        "source": origin,
        "type": TYPE,
        "time": received_at.isoformat(timespec="milliseconds"),
        "subject": subject,
        "datacontenttype": "application/json",
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
        "data": {
            "provider": provider,
            "delivery_id": outcome.delivery_id,
            "repository": {
                "keys": sorted(repository.keys),
                "full_name": repository.full_name,
                "clone_url": repository.clone_url,
                "ssh_url": repository.ssh_url,
                "default_branch": repository.default_branch,
                "id": repository.id,
            },
            "ref": change.ref,
            "ref_type": change.ref_type,
            "before": change.before,
            "after": change.after,
            "created": change.created,
            "deleted": change.deleted,
            "forced": change.forced,
            "test": outcome.test,
        },
    }
    return json.dumps(attributes, separators=(",", ":")).encode()[1:]
