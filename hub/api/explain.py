"""`POST /v1/explain`: what a delivery would be told, without its having any effect."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from adapters import Request
from hub.again import Again


class WhatIf(BaseModel):
    """The body: a delivery as it would be posted."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    provider: Annotated[str, Field(max_length=100)]
    """Whose delivery it is."""
    source: Annotated[str, Field(max_length=100)] = ""
    """Default: the provider's only one."""
    headers: dict[str, str]
    """As they came."""
    body: str = ""
    """As it came, as text."""
    query: str = ""
    """Of a delivery made by GET."""


def router(again: Again) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1/explain", tags=["deliveries"])

    @routes.post("")
    async def explain(asked: WhatIf) -> dict[str, Any]:
        """Whom it would reach and why, and whether its signature holds; nothing is stored."""
        headers = {name.lower(): value for name, value in asked.headers.items()}
        request = Request(headers, asked.body.encode(errors="replace"), asked.query)
        return await again.what_if(asked.provider, asked.source, request)

    return routes
