"""What the three forges have in common: repositories, webhooks, and calling them."""

import hmac
import itertools
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.support.forge_apis.server import Answer, ApiServer, Asked

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class FakeHook:
    """A registered webhook."""

    id: int
    owner: str
    url: str
    secret: str
    events: list[str]
    active: bool = True
    content_type: str = "json"
    branch_filter: str = ""
    authorization_header: str = ""
    alert_status: str = "executable"


@dataclass
class FakeRepository:
    """A repository: `id` survives its name, `refs` are where its branches stand."""

    id: int
    name: str
    refs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """One webhook on its way."""

    event: str
    document: Mapping[str, Any]
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))


class FakeForge(ApiServer):
    """
    A forge whose API is real HTTP, and which really calls the webhooks registered with it.

    Attributes:
        web_url: where git is served; it is in what is delivered.
        hooks: all of them, in the order in which they were made.
        statuses: what was written beside commits: repository, commit, document.
        answers: what receivers have answered, 0 for nothing.
        patience_seconds: how long it waits for them.
    """

    patience_seconds = 5.0

    def __init__(self, web_url: str = "http://git.test") -> None:
        super().__init__()
        self.web_url = web_url
        self.repositories: dict[str, FakeRepository] = {}
        self.hooks: list[FakeHook] = []
        self.statuses: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[int] = []
        self.numbers = itertools.count(1)
        self._calling = ThreadPoolExecutor(1)

    def repository(self, name: str) -> FakeRepository:
        """Make a repository."""
        made = FakeRepository(next(self.numbers), name)
        self.repositories[name.lower()] = made
        return made

    def rename(self, old: str, new: str) -> None:
        """Give a repository another name, or another owner."""
        found = self.repositories.pop(old.lower())
        for hook in self.hooks:
            hook.owner = new.lower() if hook.owner == old.lower() else hook.owner
        found.name = new
        self.repositories[new.lower()] = found

    def push(self, name: str, ref: str, before: str, after: str) -> list[int]:
        """Move a ref and call who wants to know; what they answered, 0 for nothing."""
        found = self.repositories[name.lower()]
        found.refs[ref] = after
        delivery = self.pushed(found, ref, before, after)
        wanting = [hook for hook in self._called_for(found) if self.wants(hook, delivery.event)]
        return [self.deliver(hook, delivery) for hook in wanting]

    def pushed(self, repository: FakeRepository, ref: str, before: str, after: str) -> Delivery:
        """What a push is told as."""
        raise NotImplementedError

    def described(self, repository: FakeRepository) -> dict[str, Any]:
        """A repository as GitHub tells of it, and those that took that over."""
        url = f"{self.web_url}/{repository.name}"
        return {
            "id": repository.id,
            "full_name": repository.name,
            "html_url": url,
            "clone_url": f"{url}.git",
            "default_branch": "main",
        }

    def request_of(self, hook: FakeHook, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        """The body of a delivery, and its headers."""
        raise NotImplementedError

    def wants(self, hook: FakeHook, event: str) -> bool:
        """Whether a webhook is called for an event."""
        return hook.active and event in hook.events

    def deliver(self, hook: FakeHook, delivery: Delivery) -> int:
        """Call a webhook once; the status of its answer, 0 for none."""
        body, headers = self.request_of(hook, delivery)
        request = urllib.request.Request(hook.url, body, headers)  # noqa: S310 - a test's own hub
        try:
            with NO_PROXY.open(request, timeout=self.patience_seconds) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 0
        self.answers.append(status)
        return status

    def later(self, hook: FakeHook, delivery: Delivery, **how: Any) -> None:
        """Call a webhook when the request that asks for it has been answered, in their order."""
        self._calling.submit(self.deliver, hook, delivery, **how)

    def close(self) -> None:
        """Stop listening, and calling."""
        super().close()
        self._calling.shutdown(cancel_futures=True)

    def of(self, asked: Asked) -> FakeHook | None:
        """The webhook that a path of two or three parts names."""
        *owner, number = asked.groups
        mine = "/".join(owner).lower()
        found = [one for one in self.hooks if str(one.id) == number and one.owner == mine]
        return found[0] if found else None

    def at(self, owner: str) -> list[FakeHook]:
        """The webhooks of a repository or an organisation."""
        return [one for one in self.hooks if one.owner == owner.lower()]

    def remove(self, asked: Asked) -> Answer:
        """Delete a webhook."""
        found = self.of(asked)
        if not found or not self.is_allowed:
            return Answer(404, {"message": "Not Found"})
        self.hooks.remove(found)
        return Answer(204)

    def written(self, repository: str, context: str = "") -> list[str]:
        """The states that were written beside commits of a repository, in order."""
        return [
            document["state"]
            for name, _, document in self.statuses
            if name == repository.lower() and context in {"", document["context"]}
        ]

    def _called_for(self, repository: FakeRepository) -> list[FakeHook]:
        owners = {repository.name.lower(), repository.name.lower().partition("/")[0]}
        return [hook for hook in self.hooks if hook.owner in owners]


def signed(secret: str, body: bytes) -> str:
    """The hex of a body's HMAC-SHA256."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def encoded(document: Mapping[str, Any]) -> bytes:
    """A document as it is sent."""
    return json.dumps(document).encode()
