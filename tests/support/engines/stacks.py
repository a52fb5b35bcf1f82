"""The Compose files, used as their readers use them: prepared, brought up, pushed to."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from directcd.demo import receive_hook
from directcd.demo.world import free_ports
from tests.support import githttp
from tests.support.engines.docker import Engine
from tests.support.engines.images import FORGE
from tests.support.forge_apis.forge import signed
from tests.support.forge_apis.server import TOKEN

COMPOSE = Path(__file__).parents[3] / "deploy/compose"
CLONE_URL = "http://gitea:3000/directcd/greeter.git"
MAIN = "refs/heads/main"
_IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# A git server by the name and at the port of the Gitea that directcd.toml follows.
_FORGE_SERVICE = """
services:
  forge:
    image: {image}
    init: true
    command:
      - python3
      - -c
      - |
        import signal, sys
        from pathlib import Path
        sys.path.insert(0, "/support")
        from githttp import GitServer
        GitServer(Path("/repositories"), host="0.0.0.0", port=3000)
        signal.pause()
    volumes:
      - {root}/repositories:/repositories:ro
      - {githttp}:/support/githttp.py:ro
    networks: {{default: {{aliases: [gitea]}}}}
"""


# In place of Gitea's image, and of its command.
GITEA = """
services:
  gitea:
    image: {image}
    entrypoint: []
    command: [python3, -m, tests.support.engines.stand_in_gitea]
    environment: {{PYTHONPATH: /checkout}}
    volumes: ["{checkout}/tests:/checkout/tests:ro"]
  gitea-user:
    image: {image}
    volumes: ["./gitea-command:/usr/local/bin/gitea:ro"]
"""
GITEA_COMMAND = f"""#!/bin/sh
case $3 in
create) echo "generated random password is 'x'" ;;
generate-access-token) echo {TOKEN} ;;
esac
"""


@dataclass
class Stack:
    """
    One of the Compose files in a directory of its own, with a git server in place of the forge.

    Attributes:
        engine: what runs it.
        root: holds the copied directory and the repository.
        file: which Compose file.
        hub_port: of this machine, for the hub or its proxy.
        program_ports: likewise, for the clients' programs.
        tip: the newest commit.
    """

    engine: Engine
    root: Path
    file: str
    hub_port: int
    program_ports: tuple[int, int]
    tip: str = field(default="0" * 40)

    @property
    def directory(self) -> Path:
        """Where its reader stands."""
        return self.root / "compose"

    def __call__(self, *words: str) -> str:
        """What `docker compose` with these words prints."""
        files = ("-f", self.file, "-f", "forge.yaml")
        return self.engine("compose", *files, *words, cwd=self.directory)

    def containers(self) -> list[str]:
        """The ids of ours, of Redis and of the proxy."""
        services = self("config", "--services").split()
        return self("ps", "--quiet", *sorted({*services} - {"forge"})).split()

    def commit(self, message: str) -> None:
        """Make the greeter say something else, and push that."""
        work = self.root / "work"
        program = (self.directory / "greeter/greeter.py").read_text().replace("Hello", message)
        (work / "greeter.py").write_text(program)
        git(work, "add", ".")
        git(work, *_IDENTITY, "commit", "-qm", message)
        git(work, "push", "-q", "origin", "main")

    def tell(self, ref: str = MAIN) -> int:
        """Deliver what the forge would after that push; the status of the answer."""
        after = git(self.root / "work", "rev-parse", "HEAD")
        status = self.deliver(self.tip, after, ref)
        self.tip = after
        return status

    def deliver(
        self, before: str, after: str, ref: str = MAIN, *, secret: str = "", size: int = 0
    ) -> int:
        """Post one delivery, signed as it should be or otherwise; the status, 0 for no answer."""
        body = receive_hook.payload(before, after, ref, CLONE_URL).ljust(size)
        secret = secret or (self.directory / "secrets/webhook").read_text()
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Event": "push",
            "X-Gitea-Delivery": str(uuid.uuid4()),
            "X-Gitea-Signature": signed(secret, body),
        }
        url = f"http://127.0.0.1:{self.hub_port}/webhooks/gitea/main"
        request = urllib.request.Request(url, body, headers)
        try:
            with _NO_PROXY.open(request, timeout=15) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def says(self, word: str, port: int) -> bool:
        """Whether the program at a port greets with a word."""
        with suppress(OSError), _NO_PROXY.open(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return word in answer.read().decode()
        return False

    def deliveries(self, search: str = "") -> list[dict[str, Any]]:
        """Those that the hub shows an operator, all pages of them."""
        found: list[dict[str, Any]] = []
        before = ""
        while True:
            page = self.asked(f"/v1/deliveries?limit=500&{search}{before}")
            found += page["deliveries"]
            if not page["next"]:
                return found
            before = f"&before={page['next']}"

    def asked(self, path: str) -> Any:
        """What the hub answers an operator."""
        token = (self.directory / "secrets/operator").read_text()
        url = f"http://127.0.0.1:{self.hub_port}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with _NO_PROXY.open(request, timeout=15) as answer:
            return json.load(answer)


def git(directory: Path, *words: str) -> str:
    """The standard output of a git command that succeeds."""
    command = ["git", "-C", str(directory), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def prepared(engine: Engine, root: Path, file: str) -> Iterator[Stack]:
    """A stack with its secrets and a first commit; what came up goes down, with its volumes."""
    hub, first, second = free_ports(3)
    shutil.copytree(COMPOSE, root / "compose", ignore=shutil.ignore_patterns("secrets", ".env"))
    stack = Stack(engine, root, file, hub, (first, second))
    subprocess.run([stack.directory / "prepare"], check=True, capture_output=True)
    ports = f"HUB_PORT={hub}\nPROGRAM_PORT={first}\nSECOND_PROGRAM_PORT={second}\n"
    with (stack.directory / ".env").open("a") as settings:
        settings.write(ports)
    forge = _FORGE_SERVICE.format(image=FORGE, root=root, githttp=githttp.__file__)
    (stack.directory / "forge.yaml").write_text(forge)
    bare = root / "repositories/directcd/greeter.git"
    bare.mkdir(parents=True)
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(root, "clone", "-q", str(bare), "work")
    shutil.copy(stack.directory / "greeter/build.sh", root / "work")
    stack.commit("First")
    try:
        yield stack
    finally:
        stack("down", "--volumes", "--timeout", "5")
