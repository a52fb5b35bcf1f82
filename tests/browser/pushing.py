"""The demo's world with more in it: `directcd up`, signed pushes, and things to break."""

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from directcd.demo import receive_hook
from directcd.demo.world import World, port_open
from tests.support.deliveries import Post

MORE = """

[hub.sources.tea]
provider = "gitea"
secrets = ["a secret of the tea source"]

[hub.sources.script]
provider = "generic"
secrets = ["a secret of the script source"]

[[target]]
name = "ghost"
repositories = [{{ url = "git://127.0.0.1:{git_port}/acme/ghost.git", ref = "main" }}]
"""


class Delivering(World):
    """A repository and `directcd up` over it."""

    def begin(self) -> None:
        """Start everything, with the first version running."""
        text = self.config.read_text()
        self.config.write_text(text + MORE.format(git_port=self.git_port))
        self.commit("Hello")
        self.push()
        self.start("up")
        self.wait_for("the hub", lambda: port_open(self.hub_port))
        self.wait_for("the first version", self.answer)
        self.wait_for("the subscription", self.ready)

    @property
    def secret(self) -> bytes:
        """Of the source `main`."""
        return (self.root / "secret").read_bytes().strip()

    @staticmethod
    def command(*words: str) -> list[str]:
        """The command line of a part of its own."""
        return [sys.executable, "-m", "directcd", *words]

    def change(self, message: str) -> str:
        """Push a program that says something else; its commit."""
        commit = self.commit(message)
        self.push()
        return commit

    def deliver(self, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        """Post a delivery; the hub's answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub_port, timeout=10)
        connection.request("POST", path, body, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return dict(answer)

    def pushed(self, after: str, ref: str = "refs/heads/main", url: str = "") -> Post:
        """A signed push of GitHub's kind, as if some forge had sent it."""
        body = receive_hook.payload("0" * 40, after, ref, url or self.repository_url)
        return Post(body, receive_hook.headers(body, self.secret))

    def state(self, target: str = "greeter") -> dict[str, Any]:
        """How a target stands, as the hub's API tells; nothing when it is not known."""
        found = self.hub("/v1/targets")["targets"]
        return next((one for one in found if one["target"] == target), {})

    def trace(self, commit: str) -> dict[str, Any]:
        """The way of a commit, as the hub's API tells."""
        found = self.hub("/v1/targets/greeter/timeline")["traces"]
        return next((one for one in found if one["commit"] == commit), {})

    def wait_until(self, commit: str, state: str) -> dict[str, Any]:
        """The way of a commit that has come to a state."""

        def arrived() -> dict[str, Any]:
            found = self.trace(commit)
            return found if found.get("state") == state else {}

        return self.wait_for(f"{commit[:12]} to be {state}", arrived)


@contextmanager
def delivering(poll_interval_seconds: float = 600.0) -> Iterator[Delivering]:
    """Everything at work, until the block ends; no poll is quicker than a delivery."""
    with Delivering(poll_interval_seconds=poll_interval_seconds) as world:
        world.begin()
        yield world
