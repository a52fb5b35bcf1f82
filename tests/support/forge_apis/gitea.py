"""Gitea, Forgejo, Gogs: a hook is inactive by default, an update clears what it leaves out."""

from typing import Any

from tests.support.forge_apis.forge import (
    Delivery,
    FakeForge,
    FakeHook,
    FakeRepository,
    encoded,
    signed,
)
from tests.support.forge_apis.server import Answer, Asked

STATES = frozenset({"pending", "success", "error", "failure", "warning", "skipped"})
NOT_FOUND = Answer(404, {"message": "The target couldn't be found."})
FORBIDDEN = Answer(403, {"message": "user should be an owner or a collaborator"})
PAGE_MOST = 50


class FakeGitea(FakeForge):
    """The API below one address; `kind` is which of the three."""

    prefix = "/api/v1"
    scheme = "token"

    def __init__(self, web_url: str = "http://git.test", kind: str = "gitea") -> None:
        super().__init__(web_url)
        self.kind = kind
        for owner in ("/repos/{}/{}", "/orgs/{}"):
            self.route("GET", f"{owner}/hooks", self._list)
            self.route("POST", f"{owner}/hooks", self._create)
            self.route("PATCH", f"{owner}/hooks/{{}}", self._update)
            self.route("DELETE", f"{owner}/hooks/{{}}", self.remove)
        self.route("POST", "/repos/{}/{}/hooks/{}/tests", self._test)
        if kind != "gogs":
            self.route("POST", "/repos/{}/{}/statuses/{}", self._status)

    def pushed(self, repository: FakeRepository, ref: str, before: str, after: str) -> Delivery:
        """What a push is told as."""
        moved = {"ref": ref, "before": before, "after": after, "commits": [], "total_commits": 0}
        return Delivery("push", moved | {"repository": self.described(repository)})

    def request_of(self, hook: FakeHook, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        """The body of a delivery, and its headers."""
        body = encoded(delivery.document)
        name = "Gogs" if self.kind == "gogs" else "Gitea"
        headers = {
            "Content-Type": "application/json",
            f"X-{name}-Event": delivery.event,
            f"X-{name}-Delivery": delivery.guid,
            f"X-{name}-Signature": signed(hook.secret, body),
        }
        if self.kind == "forgejo":
            headers |= {name.replace("Gitea", "Forgejo"): headers[name] for name in tuple(headers)}
        return body, headers

    def _list(self, asked: Asked) -> Answer:
        if no := self._refused(asked):
            return no
        found = [self._shown(one) for one in self.at("/".join(asked.groups))]
        return self.page(asked, found, size="limit", most=PAGE_MOST)

    def _create(self, asked: Asked) -> Answer:
        document, config = asked.document, asked.document.get("config", {})
        if no := self._refused(asked):
            return no
        if not config.get("url") or not config.get("content_type"):
            return Answer(422, {"message": "Missing config option"})
        if document.get("type") not in {"gitea", "gogs", self.kind}:
            return Answer(422, {"message": "Invalid hook type"})
        hook = FakeHook(
            id=next(self.numbers),
            owner="/".join(asked.groups).lower(),
            url=config["url"],
            secret=config.get("secret", ""),
            events=document.get("events") or ["push"],
            active=document.get("active", False),
            content_type=config["content_type"],
            branch_filter=document.get("branch_filter", ""),
            authorization_header=document.get("authorization_header", ""),
        )
        self.hooks.append(hook)
        return Answer(201, self._shown(hook))

    def _update(self, asked: Asked) -> Answer:
        hook, document = self.of(asked), asked.document
        if not hook:
            return NOT_FOUND
        config = document.get("config") or {}
        hook.url = config.get("url", hook.url)
        hook.content_type = config.get("content_type", hook.content_type)
        hook.events = document.get("events") or ["push"]
        hook.branch_filter = document.get("branch_filter", "")
        hook.authorization_header = document.get("authorization_header", "")
        hook.active = document.get("active", hook.active)
        return Answer(200, self._shown(hook))

    def _test(self, asked: Asked) -> Answer:
        hook = self.of(asked)
        if not hook:
            return NOT_FOUND
        repository = self.repositories[hook.owner]
        commit = repository.refs.get("refs/heads/main", "c" * 40)
        ref = asked.query.get("ref", "refs/heads/main")
        self.later(hook, self.pushed(repository, ref, commit, commit))
        return Answer(204)

    def _status(self, asked: Asked) -> Answer:
        owner, name, commit = asked.groups
        document = asked.document
        if f"{owner}/{name}".lower() not in self.repositories:
            return NOT_FOUND
        if document.get("state") not in STATES:
            return Answer(422, {"message": "invalid state"})
        self.statuses.append((f"{owner}/{name}".lower(), commit, document))
        told = {"id": next(self.numbers), "status": document["state"]}
        return Answer(201, told | {name: document.get(name) for name in ("context", "target_url")})

    def _refused(self, asked: Asked) -> Answer | None:
        name = "/".join(asked.groups[:2]).lower()
        if asked.path.startswith("/repos/") and name not in self.repositories:
            return NOT_FOUND
        return None if self.is_allowed else FORBIDDEN

    def _shown(self, hook: FakeHook) -> dict[str, Any]:
        return {
            "id": hook.id,
            "type": self.kind,
            "config": {"url": hook.url, "content_type": hook.content_type},
            "events": hook.events,
            "branch_filter": hook.branch_filter,
            "authorization_header": hook.authorization_header,
            "active": hook.active,
        }
