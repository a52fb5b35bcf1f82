"""GitLab: projects by their whole path, switches for events, no state twice, and no repeats."""

from typing import Any
from urllib.parse import unquote

from tests.support.forge_apis.forge import Delivery, FakeForge, FakeHook, FakeRepository, encoded
from tests.support.forge_apis.server import Answer, Asked

SWITCHES = ("push_events", "tag_push_events", "issues_events")
STATES = frozenset({"pending", "running", "success", "failed", "canceled", "skipped"})
NOT_FOUND = Answer(404, {"message": "404 Project Not Found"})


class FakeGitLab(FakeForge):
    """The API below one address."""

    prefix = "/api/v4"
    rate_headers = "ratelimit-"
    patience_seconds = 10.0

    def __init__(self, web_url: str = "http://git.test") -> None:
        super().__init__(web_url)
        for owner in ("/projects/{}", "/groups/{}"):
            self.route("GET", f"{owner}/hooks", self._list)
            self.route("POST", f"{owner}/hooks", self._create)
            self.route("PUT", f"{owner}/hooks/{{}}", self._update)
            self.route("DELETE", f"{owner}/hooks/{{}}", self._removed)
            self.route("POST", f"{owner}/hooks/{{}}/test/{{}}", self._test)
        self.route("POST", "/projects/{}/statuses/{}", self._status)

    def pushed(self, repository: FakeRepository, ref: str, before: str, after: str) -> Delivery:
        """What a push is told as."""
        kind = "tag_push" if ref.startswith("refs/tags/") else "push"
        url = f"{self.web_url}/{repository.name}"
        project = {
            "id": repository.id,
            "path_with_namespace": repository.name,
            "git_http_url": f"{url}.git",
            "web_url": url,
            "default_branch": "main",
        }
        moved = {"ref": ref, "before": before, "after": after, "checkout_sha": after}
        counted = {"commits": [], "total_commits_count": 0, "project_id": repository.id}
        document = {"object_kind": kind, "project": project} | moved | counted
        return Delivery(f"{kind}_events", document)

    def request_of(self, hook: FakeHook, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        """The body of a delivery, and its headers."""
        name = "Tag Push Hook" if delivery.event.startswith("tag") else "Push Hook"
        return encoded(delivery.document), {
            "Content-Type": "application/json",
            "X-Gitlab-Event": name,
            "X-Gitlab-Event-UUID": delivery.guid,
            "X-Gitlab-Token": hook.secret,
        }

    def _list(self, asked: Asked) -> Answer:
        if no := self._refused(asked):
            return no
        found = [_shown(one) for one in self.at(unquote(asked.groups[0]))]
        return self.page(asked, found, size="per_page")

    def _create(self, asked: Asked) -> Answer:
        if no := self._refused(asked):
            return no
        url = asked.document.get("url", "")
        if not url.startswith(("http://", "https://")):
            return Answer(422, {"error": "Invalid url given"})
        hook = FakeHook(next(self.numbers), unquote(asked.groups[0]).lower(), url, "", [])
        self.hooks.append(hook)
        _set(hook, {"push_events": True} | asked.document)
        return Answer(201, _shown(hook))

    def _update(self, asked: Asked) -> Answer:
        hook = self._hook(asked)
        if not hook:
            return NOT_FOUND
        _set(hook, asked.document)
        return Answer(200, _shown(hook))

    def _removed(self, asked: Asked) -> Answer:
        hook = self._hook(asked)
        if not hook:
            return NOT_FOUND
        self.hooks.remove(hook)
        return Answer(204)

    def _test(self, asked: Asked) -> Answer:
        hook = self._hook(asked)
        if not hook or hook.owner not in self.repositories:
            return NOT_FOUND
        repository = self.repositories[hook.owner]
        commit = repository.refs.get("refs/heads/main", "c" * 40)
        self.later(hook, self.pushed(repository, "refs/heads/main", commit, commit))
        return Answer(201, {"message": "201 Created"})

    def _status(self, asked: Asked) -> Answer:
        name, commit = unquote(asked.groups[0]).lower(), asked.groups[1]
        document = asked.document
        if name not in self.repositories:
            return NOT_FOUND
        if document.get("state") not in STATES:
            return Answer(400, {"error": "state does not have a valid value"})
        same = [
            told
            for whose, of, told in self.statuses
            if (whose, of, told["name"]) == (name, commit, document["name"])
        ]
        if same and same[-1]["state"] == document["state"]:
            state = document["state"]
            said = f"Cannot transition status via :{state} from :{state}"
            return Answer(400, {"message": said})
        told = document | {"context": document["name"]}
        self.statuses.append((name, commit, told))
        return Answer(201, {"id": next(self.numbers), "status": document["state"]})

    def _hook(self, asked: Asked) -> FakeHook | None:
        owner = unquote(asked.groups[0]).lower()
        found = [one for one in self.at(owner) if str(one.id) == asked.groups[1]]
        return found[0] if found and self.is_allowed else None

    def _refused(self, asked: Asked) -> Answer | None:
        name = unquote(asked.groups[0]).lower()
        if asked.path.startswith("/projects/") and name not in self.repositories:
            return NOT_FOUND
        return None if self.is_allowed else Answer(403, {"message": "403 Forbidden"})


def _set(hook: FakeHook, document: dict[str, Any]) -> None:
    hook.url = document.get("url", hook.url)
    hook.secret = document.get("token", hook.secret)
    hook.branch_filter = document.get("push_events_branch_filter", hook.branch_filter)
    on = {name: name in hook.events for name in SWITCHES}
    on |= {name: bool(document[name]) for name in SWITCHES if name in document}
    hook.events = [name for name in SWITCHES if on[name]]


def _shown(hook: FakeHook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "url": hook.url,
        "enable_ssl_verification": True,
        "alert_status": hook.alert_status,
        "push_events_branch_filter": hook.branch_filter,
    } | {name: name in hook.events for name in SWITCHES}
