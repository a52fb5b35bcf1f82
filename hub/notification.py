"""
The notification every subscriber receives: CloudEvents 1.0 in structured JSON, one line.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

Only what a subscriber needs to look at git itself: no payload, no people, no commit messages.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from msgspec.json import encode

from adapters import Outcome, RefChange, Repository, repository_keys
from hub.log.values import NewEvent

TYPE = "dev.directcd.push.v1"
_IDS = random.Random()  # noqa: S311 - of traces, which are to be unique and not secret
MOST_PATHS = 200
MOST_PATHS_BYTES = 16 * 1024  # of names; with more a notification would be mostly list


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all notifications of one delivery have in common, made once: it may be thousands."""

    keys: frozenset[str]
    primary_key: str
    delivery_id: str
    test: bool
    attributes: dict[str, object]
    data: dict[str, object]


def new_events(
    outcome: Outcome,
    *,
    origin: str,
    provider: str,
    received_at: datetime,
    to: str = "",
    former: frozenset[str] = frozenset(),
) -> list[NewEvent]:
    """
    One event for each ref a delivery says has changed.

    Args:
        outcome: a delivery that subscribers should hear of; it names a repository.
        origin: the CloudEvents `source`, the endpoint that received the delivery.
        provider: the forge's kind.
        received_at: when the delivery arrived, UTC.
        to: the name of the one subscription they are for; "" for all.
        former: the keys of names that the repository had before: whoever knows it by them hears
            of it, too.
    """
    repository = outcome.repository
    if repository is None:
        return []
    keys = repository.keys | former
    shared = _Shared(
        keys=keys,
        primary_key=primary_key(repository),
        delivery_id=outcome.delivery_id,
        test=outcome.test,
        attributes=_attributes(origin, received_at),
        data=_data(outcome, replace(repository, keys=keys), provider) | ({"to": to} if to else {}),
    )
    return [_new_event(shared, change) for change in outcome.changes]


def complete_paths(outcome: Outcome) -> frozenset[str] | None:
    """
    The files a push changed, or None when they are not known to be all, or are too many to tell.

    Known they are where the provider says that it listed every commit, of one branch that was
    there before and was not rewritten: what a forced push undoes is in no list. Of the forges, only
    GitHub says both.
    """
    if len(outcome.changes) != 1 or outcome.truncated is not False or outcome.test:
        return None
    [change] = outcome.changes
    moved = change.before is not None and change.after is not None and change.forced is False
    few = 0 < len(outcome.paths) <= MOST_PATHS
    if change.ref_type != "branch" or not moved or not few:
        return None
    small = sum(len(path.encode()) for path in outcome.paths) <= MOST_PATHS_BYTES
    return outcome.paths if small else None


def primary_key(repository: Repository) -> str:
    """
    The one key that names a repository: of the URL it is cloned from, with the port if it has one.

    Without the port two forges on one host would be the same, and one's push a repeat of the
    other's. Only the repository's own keys count: a source that may not speak for the clone URL
    must not move that repository's head either.
    """
    return _primary_key(repository.clone_url, repository.keys)


@lru_cache(maxsize=512)  # the same few repositories come again and again
def _primary_key(clone_url: str, keys: frozenset[str]) -> str:
    own = repository_keys(clone_url) & keys or keys
    return max(own, key=lambda key: (len(key), key), default="")


def _new_event(shared: _Shared, change: RefChange) -> NewEvent:
    trace_id = f"{_IDS.getrandbits(128) or 1:032x}"
    subject = f"{shared.primary_key.replace('#', '%23')}#{change.ref}"
    unsaid = change.after is None and not change.deleted
    event_id = f"{subject} {change.before} {change.after}"
    # Pressing "test" twice is two tests, not a repeat, and a hint without a hash says "look now".
    if shared.test or unsaid:
        event_id += f" {shared.delivery_id or trace_id}"
    return NewEvent(
        event_id=event_id,
        delivery_key=f"{shared.delivery_id} {event_id}" if shared.delivery_id else "",
        subject=subject,
        before=change.before,
        after=change.after,
        keys=shared.keys,
        ref=change.ref,
        trace_id=trace_id,
        tail=_tail(shared, change, subject, trace_id),
        unsaid=unsaid,
    )


def _tail(shared: _Shared, change: RefChange, subject: str, trace_id: str) -> bytes:
    # Everything behind `{"specversion":"1.0","id":"<cursor>",`: only the log knows the cursor.
    data = {
        "ref": change.ref,
        "ref_type": change.ref_type,
        "before": change.before,
        "after": change.after,
        "created": change.created,
        "deleted": change.deleted,
        "forced": change.forced,
    }
    own = {
        "subject": subject,
        "traceparent": f"00-{trace_id}-{_IDS.getrandbits(64) or 1:016x}-01",
        "data": shared.data | data,
    }
    return encode(shared.attributes | own)[1:]


def _attributes(origin: str, received_at: datetime) -> dict[str, object]:
    return {
        "source": origin,
        "type": TYPE,
        "time": received_at.isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
    }


def _data(outcome: Outcome, repository: Repository, provider: str) -> dict[str, object]:
    paths = complete_paths(outcome)
    return {
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
        "test": outcome.test,
        "paths": None if paths is None else sorted(paths),
    }
