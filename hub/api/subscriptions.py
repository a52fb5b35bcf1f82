"""`/v1/subscriptions`: say what you want to hear of, and keep saying that you are still there."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from hub.api.guarding import access_of, refuse_others
from hub.callbacks.worker import Callbacks
from hub.fanout import Fanout
from hub.problem import Problem
from hub.rules import Callback, make_callback
from hub.subscriptions import NewSubscription, Registry, Subscription, id_of
from hub.wants import Want, check_number, make_want

LEASE_LIMIT_SECONDS = 86_400.0
PathPattern = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class WantedRepository(BaseModel):
    """A repository by any of its URLs, and optionally a ref or ref pattern, and files, of it."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    url: str = Field(min_length=1, max_length=2_000)
    """In any spelling; no credential of it is kept."""
    ref: str = Field(default="", max_length=500)
    """A full ref, a branch (`main`, `release/*`), `tags/v*`; default: any."""
    paths: list[PathPattern] = Field(default=[], max_length=100)
    """
    Patterns over full paths: `services/shop/**`, `go.mod`, `**/*.proto`. A push that is known to
    touch none of them is not told; one whose files are not all known is, and so is one that would
    take long to compare. At most 1,000 in one subscription. Default: any files.
    """


class StreamDelivery(BaseModel):
    """The subscriber opens `/v1/events` itself."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    mode: Literal["stream"] = "stream"
    """Fixed."""


class CallbackDelivery(BaseModel):
    """The hub posts each notification to a URL, signed as Standard Webhooks say."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    mode: Literal["callback"]
    """Fixed."""
    url: str = Field(max_length=2_000)
    """Where to post, http or https; private addresses only as the hub's settings allow."""
    secret: SecretStr = SecretStr("")
    """`whsec_…`; without one the hub makes one, and tells it once, in this answer."""


class Subscribing(BaseModel):
    """The body of `POST /v1/subscriptions`."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    """Whose it is; the same name again replaces it."""
    repositories: list[WantedRepository] = Field(min_length=1, max_length=5_000)
    """What is wanted: a push to any of them is told."""
    lease_seconds: float = Field(default=60.0, gt=0, le=LEASE_LIMIT_SECONDS)
    """How long it lasts unless it is renewed; a day at most."""
    deliver: StreamDelivery | CallbackDelivery = Field(
        default=StreamDelivery(), discriminator="mode"
    )
    """Whether it listens itself, or is posted to. Default: it listens."""


class Lease(BaseModel):
    """The body of `PUT /v1/subscriptions/{id}/lease`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    lease_seconds: float = Field(gt=0, le=LEASE_LIMIT_SECONDS)
    """From now on."""


def router(
    registry: Registry,
    fanout: Fanout,
    clock: Callable[[], datetime],
    callbacks: Callbacks,
    channels: tuple[str, ...],
) -> APIRouter:
    """The routes over one registry; `channels` is where Redis publishes the events."""
    routes = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

    @routes.post("", status_code=201)
    async def subscribe(request: Request, body: Subscribing) -> dict[str, Any]:
        """Subscribe; the same name again replaces the subscription, and leaves it paused if so."""
        cursor = str(fanout.head)
        new = replace(_new_subscription(body), since=cursor)
        replaced = await registry.find(id_of(new.name)) if access_of(request).repositories else None
        _refuse_others(request, *new.wants, *(replaced.wants if replaced else ()))
        if new.callback is not None:
            await callbacks.check(new.callback.url)
        subscription = await registry.put(new, clock())
        told = {**view(subscription, clock()), "cursor": cursor, "channels": channels}
        if new.callback and subscription.callback is new.callback and not new.secret_given:
            # Once, by the answer that made it: later ones show the URL alone.
            told["secret"] = new.callback.secret.get_secret_value()
        return told

    @routes.get("")
    async def list_all(request: Request) -> dict[str, Any]:
        """Every subscription that the token is good for, by name."""
        await registry.ensure_loaded()
        access = access_of(request)
        seen = (one for one in registry.all() if access.covers(want.keys for want in one.wants))
        return {"subscriptions": [view(subscription, clock()) for subscription in seen]}

    async def for_it(request: Request, subscription_id: str) -> None:
        known = await registry.find(subscription_id)
        _refuse_others(request, *(known.wants if known else ()))

    routes.include_router(_one(registry, clock, callbacks), dependencies=[Depends(for_it)])
    return routes


def _one(registry: Registry, clock: Callable[[], datetime], callbacks: Callbacks) -> APIRouter:
    routes = APIRouter()

    @routes.get("/{subscription_id}")
    async def get(subscription_id: str) -> dict[str, Any]:
        """One subscription."""
        subscription = _known(await registry.find(subscription_id))
        progress = await callbacks.view(subscription)
        return {**view(subscription, clock()), **({"callback": progress} if progress else {})}

    @routes.delete("/{subscription_id}", status_code=204)
    async def delete(subscription_id: str) -> Response:
        """Forget a subscription."""
        if not await registry.delete(subscription_id):
            _known(None)
        return Response(status_code=204)

    routes.include_router(_changes(registry, clock))
    return routes


def _changes(registry: Registry, clock: Callable[[], datetime]) -> APIRouter:
    routes = APIRouter()

    @routes.put("/{subscription_id}/lease")
    async def renew(subscription_id: str, lease: Lease) -> dict[str, Any]:
        """Move the lease's end to now plus `lease_seconds`."""
        seconds = timedelta(seconds=lease.lease_seconds)
        return view(_known(await registry.renew(subscription_id, seconds, clock())), clock())

    @routes.post("/{subscription_id}/pause")
    async def pause(subscription_id: str) -> dict[str, Any]:
        """Send nothing until it is resumed; its lease runs on."""
        return view(_known(await registry.pause(subscription_id)), clock())

    @routes.post("/{subscription_id}/resume")
    async def resume(subscription_id: str) -> dict[str, Any]:
        """Go on where it was paused."""
        return view(_known(await registry.resume(subscription_id)), clock())

    return routes


def _refuse_others(request: Request, *wants: Want) -> None:
    refuse_others(access_of(request), [want.keys for want in wants])


def _new_subscription(body: Subscribing) -> NewSubscription:
    wants = _wants(body.repositories)
    lease = timedelta(seconds=body.lease_seconds)
    deliver = body.deliver
    if isinstance(deliver, StreamDelivery):
        return NewSubscription(body.name, wants, lease)
    secret = deliver.secret.get_secret_value()
    return NewSubscription(body.name, wants, lease, _callback(deliver.url, secret), bool(secret))


def _callback(url: str, secret: str) -> Callback:
    try:
        return make_callback(url, secret)
    except ValueError as error:
        raise Problem(400, "invalid-callback", str(error), "correct `deliver`") from error


def _wants(repositories: list[WantedRepository]) -> tuple[Want, ...]:
    wants = tuple(map(_want, repositories))
    try:
        check_number(wants)
    except ValueError as error:
        step = "use wider patterns, or make several subscriptions"
        raise Problem(400, "too-many-patterns", str(error), step) from error
    return wants


def _want(wanted: WantedRepository) -> Want:
    try:
        return make_want(wanted.url, wanted.ref, tuple(wanted.paths))
    except ValueError as error:
        step = "correct the repository's URL or ref"
        raise Problem(400, "invalid-repository", str(error), step) from error


def _known(subscription: Subscription | None) -> Subscription:
    if subscription is None:
        raise Problem(404, "unknown-subscription", "no such subscription", "subscribe again")
    return subscription


def view(subscription: Subscription, now: datetime) -> dict[str, Any]:
    """What answers show of a subscription: never its secret."""
    callback = subscription.callback
    return {
        "id": subscription.id,
        "name": subscription.name,
        "repositories": [_want_view(want) for want in subscription.wants],
        "expires_at": subscription.expires_at.isoformat(),
        "expired": subscription.expires_at <= now,
        "paused": subscription.paused,
        "deliver": {"mode": "callback", "url": callback.url} if callback else {"mode": "stream"},
    }


def _want_view(want: Want) -> dict[str, Any]:
    paths = {"paths": want.paths} if want.paths else {}
    return {"url": want.url, "ref": want.ref, "keys": sorted(want.keys), **paths}
