"""
The API of Gitea, Forgejo and Gogs.

Sources: https://docs.gitea.com/api (repository hooks, statuses) and what a real Gitea 1.15 and
Gogs 0.11 answered. Least scopes of a token: `write:repository` for webhooks and statuses,
`write:organization` for webhooks of organisations (before Gitea 1.19 tokens have no scopes).

A new webhook is inactive unless it is told otherwise. An update without `events` makes them `push`
alone, one without `branch_filter` or `authorization_header` clears these, and a secret in it is not
looked at.
"""

from typing import Any, Literal
from urllib.parse import quote

from hub.forges.errors import ForgeRefused
from hub.forges.http import ForgeHttp
from hub.forges.paths import hooks_at, path_of
from hub.forges.reading import flag, member, names, number, objects, text
from hub.forges.values import CommitStatus, Hook, Place

PAGE = 50  # the most it gives, unless its operator allows more

GiteaKind = Literal["gitea", "forgejo", "gogs"]

_KEPT = ("authorization_header",)
_EVENTS = {
    # A deleted branch is no push there; at Gogs a new tag is none either.
    "gitea": ("delete", "push"),
    "forgejo": ("delete", "push"),
    "gogs": ("create", "delete", "push"),
}


class Gitea:
    """Gitea tries to deliver once, within five seconds, and tells nobody what became of it."""

    secret_stays = True

    def __init__(self, http: ForgeHttp, web_url: str, kind: GiteaKind = "gitea") -> None:
        """
        Args:
            http: of its API.
            web_url: what its repositories' paths follow.
            kind: which of the three.
        """
        self._http = http
        self.web_url = web_url
        self.provider: str = kind
        self.events: tuple[str, ...] = _EVENTS[kind]

    async def hooks(self, place: Place) -> list[Hook]:
        """All webhooks registered there, also those of others."""
        pages = self._http.pages(f"{hooks_at(place)}?limit={PAGE}")
        return [_hook(place, one) async for page in pages for one in objects(page)]

    async def create_hook(self, place: Place, url: str, secret: str) -> Hook:
        """Register a webhook; a second one for the same URL would be made without a word."""
        document = {
            "type": self.provider,
            "config": {"url": url, "content_type": "json", "secret": secret},
            "events": list(self.events),
            "branch_filter": "*",
            "active": True,
        }
        return _hook(place, await self._http.send("POST", hooks_at(place), document, hidden=secret))

    async def update_hook(self, hook: Hook, secret: str) -> Hook:
        """Make a webhook what it should be, but for its secret."""
        del secret  # it would not be looked at
        document = {
            "config": {"url": hook.url, "content_type": "json"},
            "events": sorted({*hook.events, *self.events}),
            "branch_filter": hook.branch_filter or "*",
            "active": True,
        }
        changed = await self._http.send("PATCH", path_of(hook), document | dict(hook.kept))
        return _hook(hook.place, changed)

    async def delete_hook(self, hook: Hook) -> None:
        """Remove a webhook; one that is not there any more is no error."""
        await self._http.delete(path_of(hook))

    async def test_hook(self, hook: Hook) -> None:
        """Have the newest commit of the default branch delivered as a push."""
        of_whom = "an organisation" if hook.place.is_organisation else "a repository"
        if hook.place.is_organisation or self.provider == "gogs":
            step = "push to it, and look at `directcd deliveries list`"
            raise ForgeRefused(f"the API of {self.provider} tests no webhook of {of_whom}", step)
        await self._http.send("POST", f"{path_of(hook)}/tests")

    async def set_status(self, repository: str, commit: str, status: CommitStatus) -> None:
        """Write beside a commit how it is; Gogs has no such thing, and is not asked."""
        if self.provider == "gogs":
            step = "set commit_statuses = false in its source's section"
            raise ForgeRefused("Gogs has no commit statuses", step)
        document = {
            "state": status.state,
            "context": status.context,
            "description": status.description,
            "target_url": status.url,
        }
        await self._http.send("POST", f"/repos/{quote(repository)}/statuses/{commit}", document)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


def _hook(place: Place, document: Any) -> Hook:
    config = member(document, "config")
    return Hook(
        id=number(document, "id"),
        place=place,
        url=text(config, "url"),
        events=names(document, "events"),
        is_active=flag(document, "active"),
        content_type=text(config, "content_type"),
        branch_filter=text(document, "branch_filter"),
        kept={name: text(document, name) for name in _KEPT if text(document, name)},
    )
