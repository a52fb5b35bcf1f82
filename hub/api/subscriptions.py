"""`/v1/subscriptions`: say what you want to hear of, and keep saying that you are still there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from hub.fanout import Fanout
from hub.problem import Problem
from hub.subscriptions import Registry, Subscription

LEASE_LIMIT_SECONDS = 86_400.0


class WantedRepository(BaseModel):
    """A repository by any of its URLs, and optionally one ref or ref pattern of it."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=1, max_length=2_000)
    ref: str = Field(default="", max_length=500)


class DeliverMode(BaseModel):
    """How notifications reach the subscriber: it opens `/v1/events` itself."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["stream"] = "stream"


class NewSubscription(BaseModel):
    """The body of `POST /v1/subscriptions`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    repositories: list[WantedRepository] = Field(min_length=1, max_length=5_000)
    lease_seconds: float = Field(default=60.0, gt=0, le=LEASE_LIMIT_SECONDS)
    deliver: DeliverMode = DeliverMode()


class Lease(BaseModel):
    """The body of `PUT /v1/subscriptions/{id}/lease`."""

    model_config = ConfigDict(extra="forbid")

    lease_seconds: float = Field(gt=0, le=LEASE_LIMIT_SECONDS)


def router(registry: Registry, fanout: Fanout, clock: Callable[[], datetime]) -> APIRouter:
    """The routes over one registry."""
    routes = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

    @routes.post("", status_code=201)
    async def subscribe(new: NewSubscription) -> dict[str, Any]:
        """Subscribe; the same name again replaces the subscription and keeps its id."""
        cursor = str(fanout.head)
        repositories = [{"url": want.url, "ref": want.ref} for want in new.repositories]
        lease = timedelta(seconds=new.lease_seconds)
        try:
            subscription = await registry.put(new.name, repositories, lease, clock())
        except ValueError as error:
            raise Problem(400, "invalid-repository", str(error), "correct the URL") from error
        return {**_view(subscription), "cursor": cursor, "channels": []}

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        """Every subscription, by name."""
        return {"subscriptions": [_view(subscription) for subscription in registry.all()]}

    @routes.get("/{subscription_id}")
    async def get(subscription_id: str) -> dict[str, Any]:
        """One subscription."""
        return _view(_known(registry.get(subscription_id)))

    @routes.put("/{subscription_id}/lease")
    async def renew(subscription_id: str, lease: Lease) -> dict[str, Any]:
        """Move the lease's end to now plus `lease_seconds`."""
        seconds = timedelta(seconds=lease.lease_seconds)
        return _view(_known(await registry.renew(subscription_id, seconds, clock())))

    @routes.delete("/{subscription_id}", status_code=204)
    async def delete(subscription_id: str) -> Response:
        """Forget a subscription."""
        if not await registry.delete(subscription_id):
            _known(None)
        return Response(status_code=204)

    return routes


def _known(subscription: Subscription | None) -> Subscription:
    if subscription is None:
        raise Problem(404, "unknown-subscription", "no such subscription", "subscribe again")
    return subscription


def _view(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "name": subscription.name,
        "repositories": [
            {"url": want.url, "ref": want.ref, "keys": sorted(want.keys)}
            for want in subscription.wants
        ],
        "expires_at": subscription.expires_at.isoformat(),
    }
