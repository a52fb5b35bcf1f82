"""
The API of GitHub and GitHub Enterprise Server.

Sources: https://docs.github.com/rest/repos/webhooks, https://docs.github.com/rest/orgs/webhooks,
https://docs.github.com/rest/commits/statuses, https://docs.github.com/rest/deployments

Least scopes of a token: webhooks `admin:repo_hook` (`admin:org_hook` for organisations), statuses
`repo:status`, deployments `repo_deployment`; of a fine-grained one the permissions Webhooks, Commit
statuses and Deployments (read and write), and Contents (read) to compare refs.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from hub.forges.errors import ForgeRefused
from hub.forges.http import ForgeHttp
from hub.forges.paths import hooks_at, path_of
from hub.forges.reading import flag, member, moment, names, number, objects, text
from hub.forges.values import Attempt, CommitStatus, Hook, Place

API_URL = "https://api.github.com"
DESCRIPTION_CHARACTERS = 140  # https://docs.github.com/rest/commits/statuses#create-a-commit-status
HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}

_DEPLOYED = {"pending": "in_progress", "success": "success", "failure": "failure"}


class GitHub:
    """GitHub remembers what it has delivered for three days, and repeats it when asked."""

    provider: str = "github"
    events: tuple[str, ...] = ("push",)  # also says which refs were made and deleted
    secret_stays = False

    def __init__(self, http: ForgeHttp, web_url: str) -> None:
        """
        Args:
            http: of its API.
            web_url: what its repositories' paths follow.
        """
        self._http = http
        self.web_url = web_url

    async def hooks(self, place: Place) -> list[Hook]:
        """All webhooks registered there, also those of others."""
        pages = self._http.pages(f"{hooks_at(place)}?per_page=100")
        return [_hook(place, one) async for page in pages for one in objects(page)]

    async def create_hook(self, place: Place, url: str, secret: str) -> Hook:
        """Register a webhook. Without `content_type` it would be a form."""
        document = {"name": "web", "active": True, "events": list(self.events)}
        document |= _config(url, secret)
        made = await self._http.send("POST", hooks_at(place), document, hidden=secret)
        return _hook(place, made)

    async def update_hook(self, hook: Hook, secret: str) -> Hook:
        """Make a webhook what it should be; what `config` leaves out would be cleared."""
        events = hook.events if "*" in hook.events else sorted({*hook.events, *self.events})
        document = {"active": True, "events": list(events)}
        document |= _config(hook.url, secret)
        changed = await self._http.send("PATCH", path_of(hook), document, hidden=secret)
        return _hook(hook.place, changed)

    async def delete_hook(self, hook: Hook) -> None:
        """Remove a webhook; one that is not there any more is no error."""
        await self._http.delete(path_of(hook))

    async def test_hook(self, hook: Hook) -> None:
        """Have a ping sent: it needs no commit."""
        await self._http.send("POST", f"{path_of(hook)}/pings")

    async def set_status(self, repository: str, commit: str, status: CommitStatus) -> None:
        """Write beside a commit how it is (at most 1,000 times for one context)."""
        document = {
            "state": status.state,
            "context": status.context,
            "description": status.description[:DESCRIPTION_CHARACTERS],
        } | _named("target_url", status.url)
        await self._http.send("POST", f"/repos/{quote(repository)}/statuses/{commit}", document)

    async def attempts(self, hook: Hook, since: datetime) -> list[Attempt]:
        """What it has tried to deliver since then, newest first."""
        found: list[Attempt] = []
        async for page in self._http.pages(f"{path_of(hook)}/deliveries?per_page=100"):
            read = [_attempt(one) for one in objects(page)]
            found += [one for one in read if one.at >= since]
            if any(one.at < since for one in read):
                break
        return found

    async def redeliver(self, hook: Hook, attempt: Attempt) -> None:
        """Have it deliver once more, with the same guid."""
        await self._http.send("POST", f"{path_of(hook)}/deliveries/{attempt.id}/attempts")

    async def create_deployment(self, repository: str, commit: str, environment: str) -> int:
        """Begin one, of exactly this commit: unasked, GitHub would merge and look at statuses."""
        document = {
            "ref": commit,
            "environment": environment,
            "auto_merge": False,
            "required_contexts": [],
            "description": "directcd",
        }
        made = await self._http.send("POST", f"/repos/{quote(repository)}/deployments", document)
        if not (found := number(made, "id")):
            raise ForgeRefused("GitHub does not say which deployment it has made", "ask it again")
        return found

    async def set_deployment(self, repository: str, deployment: int, status: CommitStatus) -> None:
        """Say how one goes."""
        document = {
            "state": _DEPLOYED[status.state],
            "description": status.description[:DESCRIPTION_CHARACTERS],
        } | _named("log_url", status.url)
        await self._http.send("POST", _deployed_at(repository, deployment), document)

    async def end_deployment(self, repository: str, deployment: int) -> None:
        """Say that nothing more will come of one."""
        await self._http.send("POST", _deployed_at(repository, deployment), {"state": "inactive"})

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


def _deployed_at(repository: str, deployment: int) -> str:
    return f"/repos/{quote(repository)}/deployments/{deployment}/statuses"


def _config(url: str, secret: str) -> dict[str, Any]:
    told = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
    return {"config": told}


def _named(name: str, value: str) -> dict[str, str]:
    return {name: value} if value else {}


def _hook(place: Place, document: Any) -> Hook:
    config = member(document, "config")
    return Hook(
        id=number(document, "id"),
        place=place,
        url=text(config, "url"),
        events=names(document, "events"),
        is_active=flag(document, "active"),
        content_type=text(config, "content_type") or "form",
    )


def _attempt(document: Any) -> Attempt:
    return Attempt(
        id=number(document, "id"),
        guid=text(document, "guid"),
        event=text(document, "event"),
        at=moment(document, "delivered_at"),
        status_code=number(document, "status_code"),
        status=text(document, "status")[:100],
    )
