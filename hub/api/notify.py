"""`POST /v1/notify`: tell those who follow a repository to look now, as a push would."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from hub.again import Again


class Notice(BaseModel):
    """The body."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    repository: Annotated[str, Field(min_length=1, max_length=2000)]
    """Its URL or key."""
    ref: Annotated[str, Field(max_length=500)] = ""
    """A branch, or a full ref; default: every one that somebody follows."""


def router(again: Again) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1/notify", tags=["deliveries"])

    @routes.post("", status_code=202)
    async def notify(notice: Notice) -> dict[str, Any]:
        """Make a delivery that no forge has sent."""
        return (await again.notify(notice.repository, notice.ref)).as_json()

    return routes
