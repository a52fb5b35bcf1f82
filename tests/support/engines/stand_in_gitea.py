"""
What the Compose profile needs of a Gitea, at one address: its API, git over HTTP, and deliveries.

Runs in a container in place of Gitea's image, where that cannot be had:
`python3 -m tests.support.engines.stand_in_gitea`.
"""

import json
import signal
import subprocess
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.support.forge_apis.gitea import FakeGitea
from tests.support.githttp import GitHandler, GitServer

PORT = 3000
NAME = "directcd/greeter"
MAIN = "refs/heads/main"
ROOT = Path("/tmp/repositories")


class _Forge(GitHandler):
    """Both at one address; after a push, whoever has a webhook is told."""

    api: FakeGitea

    def do_GET(self) -> None:  # noqa: N802 - its name there
        """Git's answer, or the API's."""
        if self.path == "/api/healthz":
            self._send(200)
        elif self.path.startswith("/api/"):
            self._answer_as_api()
        else:
            super().do_GET()
            self._tell()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _answer_as_api(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.api.answer(self.command, self.path, headers, self._body())
        text = b"" if answer.document is None else json.dumps(answer.document).encode()
        self._send(answer.status, [*answer.headers.items()], text)

    def _tell(self) -> None:
        before = self.api.repositories[NAME].refs.get(MAIN, "0" * 40)
        if (after := tip()) not in {"", before}:
            self.api.push(NAME, MAIN, before, after)


def tip() -> str:
    """Where the branch stands, empty for nowhere."""
    command = ["git", "-C", str(ROOT / f"{NAME}.git"), "rev-parse", "--verify", "--quiet", MAIN]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def serve() -> None:
    """Serve an empty repository until SIGTERM."""
    bare = ROOT / f"{NAME}.git"
    bare.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", bare], check=True)
    forge = FakeGitea(f"http://gitea:{PORT}")
    forge.repository(NAME)
    handler = type("Handler", (_Forge,), {"git": GitServer(ROOT), "api": forge})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ThreadingHTTPServer(("0.0.0.0", PORT), handler).serve_forever()  # noqa: S104 - of a container


if __name__ == "__main__":
    serve()
