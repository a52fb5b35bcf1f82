"""A subscription: what it wants, how it is told, and why a push is not for it; pure."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from hub.endpoints import Endpoint
from hub.log.values import SubscriptionRow
from hub.patterns import takes_ref
from hub.wants import Want, any_touched, make_want

NAMED_LIMIT = 3  # repositories, refs or files a near miss names
SECRET_PREFIX = "whsec_"  # noqa: S105 - Standard Webhooks' mark of a secret, not one
SECRET_BYTES = 32
SHORTEST_SECRET_BYTES, LONGEST_SECRET_BYTES = 24, 64  # as Standard Webhooks wants them


@dataclass(frozen=True, slots=True)
class Callback:
    """Where notifications are posted, and the Standard Webhooks secret that signs them."""

    url: str
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class Subscription:
    """
    A named rule with a lease; it counts until the lease ends.

    Attributes:
        id: made from the name.
        name: the subscriber's own.
        wants: what it wants to hear of.
        expires_at: the lease's end, UTC.
        paused: whether a person stopped it for a while: nothing is sent, nothing is lost.
        callback: where it is told; None when it opens `/v1/events` itself.
        since: the cursor at which a callback began; "" when it has none.
    """

    id: str
    name: str
    wants: tuple[Want, ...]
    expires_at: datetime
    paused: bool = False
    callback: Callback | None = None
    since: str = ""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why one subscription does not take a push: the first condition that failed."""

    subscription: str
    failed: str
    wanted: str
    got: str


def make_callback(url: str, secret: str) -> Callback:
    """
    A callback from what a subscriber wrote; without a secret it gets a new one.

    The secret's form is that of
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

    Raises:
        ValueError: the URL or the secret cannot be used; the message never holds the secret.
    """
    try:
        Endpoint.parse(url)
    except ValueError as error:
        raise ValueError(f"the callback's url: {error}") from error
    if secret and not _is_whole(secret):
        raise ValueError(
            f"a callback's secret is {SECRET_PREFIX} and the base64 of {SHORTEST_SECRET_BYTES} to "
            f"{LONGEST_SECRET_BYTES} bytes; leave it out, and the hub makes one"
        )
    return Callback(url, SecretStr(secret or _new_secret()))


def _is_whole(secret: str) -> bool:
    _, prefix, text = secret.partition(SECRET_PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    long_enough = SHORTEST_SECRET_BYTES <= len(key) <= LONGEST_SECRET_BYTES
    return bool(prefix) and secret.startswith(prefix) and long_enough


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def mismatch(
    subscription: Subscription,
    keys: frozenset[str],
    ref: str,
    now: datetime,
    paths: frozenset[str] | None = None,
) -> Mismatch | None:
    """Why the subscription does not take this push, or None when it does."""
    here = [want for want in subscription.wants if not want.keys.isdisjoint(keys)]
    if not here:
        wanted = _named_alike(subscription, keys)
        return Mismatch(subscription.name, "repository", wanted, _some(sorted(keys)))
    of_ref = [want for want in here if takes_ref(want.ref, ref)]
    if not of_ref:
        return Mismatch(subscription.name, "ref", _some([want.ref for want in here]), ref)
    if not any_touched(of_ref, paths):
        wanted = _some([pattern for want in of_ref for pattern in want.paths])
        return Mismatch(subscription.name, "paths", wanted, _some(sorted(paths or ())))
    return _asleep(subscription, now)


def _asleep(subscription: Subscription, now: datetime) -> Mismatch | None:
    if subscription.paused:
        resume = f"POST /v1/subscriptions/{subscription.id}/resume"
        return Mismatch(subscription.name, "paused", resume, "paused")
    if subscription.expires_at <= now:
        until = subscription.expires_at.isoformat(timespec="seconds")
        renew = f"PUT /v1/subscriptions/{subscription.id}/lease"
        return Mismatch(subscription.name, "lease", renew, f"ended {until}")
    return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED_LIMIT])


def last_word(key: str) -> str:
    """A repository's own name, by which what was probably meant is found."""
    return key.rpartition("/")[2]


def _named_alike(subscription: Subscription, keys: frozenset[str]) -> str:
    words = {last_word(key) for key in keys}
    wants = subscription.wants
    alike = [want for want in wants if words & {last_word(key) for key in want.keys}]
    return _some([want.url for want in (alike or wants)])


def to_row(subscription: Subscription) -> SubscriptionRow:
    """What the log stores, the callback's secret included."""
    # As it is read again, so that both can be compared.
    wants = [
        {"url": want.url, "ref": want.ref, "paths": list(want.paths)} for want in subscription.wants
    ]
    body: dict[str, Any] = {"repositories": wants, "paused": subscription.paused}
    if subscription.callback is not None:
        secret = subscription.callback.secret.get_secret_value()
        body["callback"] = {"url": subscription.callback.url, "secret": secret}
        body["since"] = subscription.since
    return SubscriptionRow(subscription.id, subscription.name, body, subscription.expires_at)


def from_row(row: SubscriptionRow) -> Subscription:
    """
    The subscription as it was stored, also by an earlier version.

    Raises:
        ValueError: it is of no form that this version knows.
    """
    try:
        wants = tuple(
            make_want(item["url"], item.get("ref", ""), tuple(item.get("paths", ())))
            for item in row.body["repositories"]
        )
        stored = row.body.get("callback")
        callback = Callback(stored["url"], SecretStr(stored["secret"])) if stored else None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a subscription: {type(error).__name__}") from error
    paused = bool(row.body.get("paused", False))
    since = row.body.get("since", "")
    return Subscription(row.id, row.name, wants, row.expires_at, paused, callback, since)
