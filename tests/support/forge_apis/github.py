"""GitHub: refuses a second hook of the same kind, remembers what it delivered, counts requests."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
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

NONE = "0" * 40
NOT_FOUND = Answer(404, {"message": "Not Found"})
STATES = frozenset({"error", "failure", "pending", "success"})


@dataclass(frozen=True)
class Recorded:
    """One attempt, as it is listed."""

    id: int
    hook: FakeHook
    delivery: Delivery
    status_code: int
    at: datetime
    is_repeated: bool


class FakeGitHub(FakeForge):
    """
    GitHub's API below one address.

    Attributes:
        log: every attempt to deliver, oldest first.
        redelivers: whether asking for one more attempt has one made.
        turns_round: how many repeats are waited for, which are then made in reverse; 0 for none.
        networks: what `/meta` says.
        deployments: what was deployed: repository, document.
        deployment_states: of them, in order: number, state.
    """

    patience_seconds = 10.0

    def __init__(self, web_url: str = "http://git.test") -> None:
        super().__init__(web_url)
        self.log: list[Recorded] = []
        self.redelivers = True
        self.turns_round = 0
        self._waiting: list[Recorded] = []
        self.networks = ["192.0.2.0/24"]
        self.public = frozenset({"/meta"})
        self.deployments: dict[int, tuple[str, dict[str, Any]]] = {}
        self.deployment_states: list[tuple[int, str]] = []
        for owner in ("/repos/{}/{}", "/orgs/{}"):
            self.route("GET", f"{owner}/hooks", self._list)
            self.route("POST", f"{owner}/hooks", self._create)
            self.route("PATCH", f"{owner}/hooks/{{}}", self._update)
            self.route("DELETE", f"{owner}/hooks/{{}}", self.remove)
            self.route("POST", f"{owner}/hooks/{{}}/pings", self._ping)
            self.route("GET", f"{owner}/hooks/{{}}/deliveries", self._deliveries)
            self.route("POST", f"{owner}/hooks/{{}}/deliveries/{{}}/attempts", self._redeliver)
        self.route("POST", "/repos/{}/{}/statuses/{}", self._status)
        self.route("POST", "/repos/{}/{}/deployments", self._deploy)
        self.route("POST", "/repos/{}/{}/deployments/{}/statuses", self._deployment)
        self.route("GET", "/meta", lambda _: Answer(200, {"hooks": self.networks}))

    def deliver(self, hook: FakeHook, delivery: Delivery, *, again: bool = False) -> int:
        """Call a webhook once, and write down how it went."""
        status = super().deliver(hook, delivery)
        with self.lock:
            number = next(self.numbers)
            at = datetime.now(UTC)
            self.log.append(Recorded(number, hook, delivery, status, at, again))
        return status

    def pushed(self, repository: FakeRepository, ref: str, before: str, after: str) -> Delivery:
        """What a push is told as."""
        moved = {"ref": ref, "before": before, "after": after, "commits": [], "forced": False}
        made = {"created": before == NONE, "deleted": after == NONE}
        return Delivery("push", moved | made | {"repository": self.described(repository)})

    def request_of(self, hook: FakeHook, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        """The body of a delivery, and its headers."""
        body = encoded(delivery.document)
        return body, {
            "Content-Type": "application/json",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-Hub-Signature-256": f"sha256={signed(hook.secret, body)}",
        }

    def _list(self, asked: Asked) -> Answer:
        if not self._knows(asked):
            return NOT_FOUND
        found = [_shown(one) for one in self.at("/".join(asked.groups))]
        return self.page(asked, found, size="per_page")

    def _create(self, asked: Asked) -> Answer:
        owner = "/".join(asked.groups)
        document = asked.document
        config = document.get("config", {})
        if not self._knows(asked):
            return NOT_FOUND
        if not config.get("url"):
            return Answer(422, {"message": "Validation Failed"})
        events = document.get("events", ["push"])
        if any(one.url == config["url"] and one.events == events for one in self.at(owner)):
            error = {"resource": "Hook", "message": "Hook already exists on this repository"}
            return Answer(422, {"message": "Validation Failed", "errors": [error]})
        hook = FakeHook(
            id=next(self.numbers),
            owner=owner.lower(),
            url=config["url"],
            secret=config.get("secret", ""),
            events=events,
            active=document.get("active", True),
            content_type=config.get("content_type", "form"),
        )
        self.hooks.append(hook)
        self.later(hook, self._pinged(hook))
        return Answer(201, _shown(hook))

    def _update(self, asked: Asked) -> Answer:
        hook = self.of(asked)
        if not hook or not self.is_allowed:
            return NOT_FOUND
        hook.active = asked.document.get("active", hook.active)
        hook.events = asked.document.get("events", hook.events)
        if config := asked.document.get("config"):
            # What is left out is cleared.
            hook.url = config.get("url", "")
            hook.content_type = config.get("content_type", "form")
            secret = config.get("secret", "")
            hook.secret = hook.secret if set(secret) == {"*"} else secret
        return Answer(200, _shown(hook))

    def _ping(self, asked: Asked) -> Answer:
        hook = self.of(asked)
        if not hook or not self.is_allowed:
            return NOT_FOUND
        self.later(hook, self._pinged(hook))
        return Answer(204)

    def _pinged(self, hook: FakeHook) -> Delivery:
        repository = self.repositories.get(hook.owner)
        whose = {"repository": self.described(repository)} if repository else {}
        return Delivery("ping", {"zen": "Nothing in haste.", "hook_id": hook.id} | whose)

    def _deliveries(self, asked: Asked) -> Answer:
        if not self.is_allowed or not self.of(asked):
            return NOT_FOUND
        found = [one for one in reversed(self.log) if str(one.hook.id) == asked.groups[-1]]
        size, cursor = int(asked.query.get("per_page", "30")), asked.query.get("cursor", "")
        start = [str(one.id) for one in found].index(cursor) if cursor else 0
        page, rest = found[start : start + size], found[start + size :]
        query = f"per_page={size}&cursor={rest[0].id}" if rest else ""
        link = {"link": f'<{self.url}{asked.path}?{query}>; rel="next"'} if rest else {}
        return Answer(200, [_listed(one) for one in page], link)

    def _redeliver(self, asked: Asked) -> Answer:
        found = [one for one in self.log if str(one.id) == asked.groups[-1]]
        if not found or not self.is_allowed:
            return NOT_FOUND
        if self.redelivers:
            [again] = found
            self._waiting.append(again)
        if len(self._waiting) >= self.turns_round:
            for one in reversed(self._waiting):
                self.later(one.hook, one.delivery, again=True)
            self._waiting.clear()
        return Answer(202, {})

    def _status(self, asked: Asked) -> Answer:
        owner, name, commit = asked.groups
        document = asked.document
        if f"{owner}/{name}".lower() not in self.repositories:
            return NOT_FOUND
        too_long = len(document.get("description", "")) > 140
        if document.get("state") not in STATES or too_long or not _is_commit(commit):
            return Answer(422, {"message": "Validation Failed"})
        self.statuses.append((f"{owner}/{name}".lower(), commit, document))
        return Answer(201, {"id": next(self.numbers), **document})

    def _deploy(self, asked: Asked) -> Answer:
        name = "/".join(asked.groups).lower()
        if name not in self.repositories:
            return NOT_FOUND
        if asked.document.get("required_contexts") != [] or asked.document.get("auto_merge", True):
            return Answer(409, {"message": "Conflict: Commit status checks failed"})
        number = next(self.numbers)
        self.deployments[number] = name, asked.document
        return Answer(201, {"id": number})

    def _deployment(self, asked: Asked) -> Answer:
        number = int(asked.groups[-1])
        if number not in self.deployments:
            return NOT_FOUND
        self.deployment_states.append((number, asked.document["state"]))
        return Answer(201, {"id": next(self.numbers)})

    def _knows(self, asked: Asked) -> bool:
        is_organisation = asked.path.startswith("/orgs/")
        name = "/".join(asked.groups[:2]).lower()
        return self.is_allowed and (is_organisation or name in self.repositories)


def _is_commit(text: str) -> bool:
    return bool(re.fullmatch("[0-9a-f]{40}", text))


def _shown(hook: FakeHook) -> dict[str, Any]:
    config = {"url": hook.url, "content_type": hook.content_type, "insecure_ssl": "0"}
    if hook.secret:
        config["secret"] = "********"
    return {
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": hook.events,
        "config": config,
    }


def _listed(one: Recorded) -> dict[str, Any]:
    return {
        "id": one.id,
        "guid": one.delivery.guid,
        "delivered_at": one.at.isoformat().replace("+00:00", "Z"),
        "redelivery": one.is_repeated,
        "duration": 0.1,
        "status": "OK" if one.status_code else "failed to connect to host",
        "status_code": one.status_code,
        "event": one.delivery.event,
        "action": None,
        "throttled_at": None,
    }
