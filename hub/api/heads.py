"""`GET /v1/heads`: where a repository's refs stand, as far as the forges have told."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from adapters import repository_keys
from hub.api.guarding import access_of, refuse_others
from hub.log.base import Log
from hub.log.values import Head
from hub.problem import Problem


def router(log: Log) -> APIRouter:
    """The routes over one log."""
    routes = APIRouter(prefix="/v1/heads", tags=["heads"])

    @routes.get("")
    async def list_heads(
        request: Request,
        repository: Annotated[
            str, Query(max_length=2_000, description="its URL, in any spelling")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=5_000, description="how many at most")] = 500,
    ) -> dict[str, Any]:
        """
        Refs by subject, those of one repository when its URL is given.

        Nothing else is asked: what no forge has told of, or was told of before this log began, is
        not there. `after` is null for a ref that was deleted.
        """
        refuse_others(access_of(request), [repository_keys(repository)])
        found: set[Head] = set()
        for prefix in _prefixes(repository):
            found.update(await log.heads(prefix, limit))
        heads = sorted(found, key=lambda head: head.subject)[:limit]
        return {"heads": [_view(head) for head in heads]}

    return routes


def _prefixes(repository: str) -> list[str]:
    # A subject holds one key, with the port if the clone URL has one; `#` stands behind the key.
    if not repository:
        return [""]
    keys = repository_keys(repository)
    if not keys:
        detail = "the URL names no repository"
        raise Problem(400, "invalid-repository", detail, "write host/path or a clone URL")
    return [f"{key.replace('#', '%23')}#" for key in sorted(keys)]


def _view(head: Head) -> dict[str, Any]:
    return {
        "subject": head.subject,
        "ref": head.subject.partition("#")[2],
        "after": head.after,
        "updated_at": head.updated_at.isoformat(),
    }
