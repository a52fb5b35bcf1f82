"""`POST /v1/recover`: look now for pushes that no delivery told of."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from hub.problem import Problem
from hub.recovery.found import Found
from hub.recovery.rounds import Rounds


class Wanted(BaseModel):
    """The body."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    source: Annotated[str, Field(max_length=100)] = ""
    """Its name; default: every source that has a token for its forge."""


def router(rounds: Sequence[Rounds], sources: Collection[str]) -> APIRouter:
    """The route over the sources that are looked at, of all that there are."""
    routes = APIRouter(prefix="/v1/recover", tags=["sources"])

    @routes.post("")
    async def recover(wanted: Wanted) -> dict[str, Any]:
        """Ask the forges, compare where refs stand, and tell what was missed."""
        if wanted.source and wanted.source not in sources:
            detail = f"there is no source {wanted.source}"
            raise Problem(404, "unknown-source", detail, "GET /v1/sources lists those there are")
        asked = [one for one in rounds if wanted.source in {"", one.source}]
        if not asked:
            raise _nobody(wanted.source)
        return {"sources": [_view(one.source, await one.look()) for one in asked]}

    return routes


def _nobody(source: str) -> Problem:
    who = f"source {source} does not look" if source else "no source looks"
    table = f"[hub.sources.{source or 'NAME'}]"
    step = f"set api_token_file in {table}, and base_url where the forge has an address of its own"
    return Problem(409, "no-forge", f"{who} for missed pushes", step)


def _view(source: str, found: Found) -> dict[str, Any]:
    return {
        "source": source,
        "repositories": found.repositories,
        "redelivered": found.redelivered,
        "synthesised": found.synthesised,
        "troubles": found.troubles,
    }
