"""
The API of GitLab.

Sources: https://docs.gitlab.com/api/project_webhooks, https://docs.gitlab.com/api/group_webhooks,
https://docs.gitlab.com/api/commits#set-commit-pipeline-status. A token needs the scope `api` and,
for webhooks, the role Maintainer (Owner for groups).
"""

from typing import Any
from urllib.parse import quote

from hub.forges.errors import ForgeRefused
from hub.forges.http import ForgeHttp
from hub.forges.reading import flag, number, objects, text
from hub.forges.values import CommitStatus, Hook, Place

DESCRIPTION_CHARACTERS = 255

# Its own words: a job that is `pending` has not begun.
_STATES = {"pending": "running", "success": "success", "failure": "failed"}
_SWITCHES = ("push_events", "tag_push_events")
_SAME = "Cannot transition status"


class GitLab:
    """GitLab stops calling what has often failed, and does not repeat what it has not delivered."""

    provider: str = "gitlab"
    events: tuple[str, ...] = _SWITCHES
    secret_stays = False

    def __init__(self, http: ForgeHttp, web_url: str) -> None:
        """
        Args:
            http: of its API.
            web_url: what its projects' paths follow.
        """
        self._http = http
        self.web_url = web_url

    async def hooks(self, place: Place) -> list[Hook]:
        """All webhooks registered there, also those of others."""
        pages = self._http.pages(f"{_at(place)}?per_page=100")
        return [_hook(place, one) async for page in pages for one in objects(page)]

    async def create_hook(self, place: Place, url: str, secret: str) -> Hook:
        """Register a webhook; GitLab calls the secret its token."""
        document = _wanted(url, secret)
        return _hook(place, await self._http.send("POST", _at(place), document, hidden=secret))

    async def update_hook(self, hook: Hook, secret: str) -> Hook:
        """Make a webhook what it should be; what is left out stays."""
        document = _wanted(hook.url, secret) | {"push_events_branch_filter": hook.branch_filter}
        return _hook(hook.place, await self._http.send("PUT", _of(hook), document, hidden=secret))

    async def delete_hook(self, hook: Hook) -> None:
        """Remove a webhook; one that is not there any more is no error."""
        await self._http.delete(_of(hook))

    async def test_hook(self, hook: Hook) -> None:
        """Have its newest commits delivered as a push (GitLab 17 or later, five times a minute)."""
        await self._http.send("POST", f"{_of(hook)}/test/push_events")

    async def set_status(self, repository: str, commit: str, status: CommitStatus) -> None:
        """Write beside a commit how it is; GitLab refuses to be told the same state again."""
        document = {
            "state": _STATES[status.state],
            "name": status.context,
            "description": status.description[:DESCRIPTION_CHARACTERS],
        } | ({"target_url": status.url} if status.url else {})
        path = f"/projects/{quote(repository, safe='')}/statuses/{commit}"
        try:
            await self._http.send("POST", path, document)
        except ForgeRefused as error:
            if _SAME not in str(error):
                raise

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


def _at(place: Place) -> str:
    kind = "groups" if place.is_organisation else "projects"
    return f"/{kind}/{quote(place.name, safe='')}/hooks"


def _of(hook: Hook) -> str:
    return f"{_at(hook.place)}/{hook.id}"


def _wanted(url: str, secret: str) -> dict[str, Any]:
    # What begins like this is a key that signs: https://docs.gitlab.com/api/project_webhooks
    name = "signing_token" if secret.startswith("whsec_") else "token"
    told = {"url": url, name: secret, "enable_ssl_verification": True}
    return told | dict.fromkeys(_SWITCHES, True)


def _hook(place: Place, document: Any) -> Hook:
    alert = text(document, "alert_status") or "executable"
    return Hook(
        id=number(document, "id"),
        place=place,
        url=text(document, "url"),
        events=tuple(sorted(name for name in document if _is_on(document, name))),
        is_active=alert == "executable",
        branch_filter=text(document, "push_events_branch_filter"),
    )


def _is_on(document: Any, name: str) -> bool:
    return name.endswith("_events") and flag(document, name)
