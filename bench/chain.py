"""
From a webhook to the new program, beside the git and build commands alone doing the same.

Hub, server and client are processes of their own, as is the git server they fetch from over HTTP;
nothing polls. A round commits once and delivers twice, in turns: by hand (fetch, read-tree, the two
calls of build.sh, start), and by directcd, from the first byte of the signed webhook on. Both end
when the program says that it runs. What directcd takes longer is its own part of the way.
"""

import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from directcd.demo.world import free_ports
from tests.support.commands import started
from tests.support.deliveries import SECRET, push
from tests.support.githttp import GitServer
from tests.support.sources import Source

ROUNDS = 43
WARM_UP = 3  # rounds that do not count
GOAL_MS = 60
CONFIGURATION = """
[hub]
listen = "127.0.0.1:{hub}"
data = "{root}/hub"
[hub.sources.main]
provider = "github"
secrets = ["{secret}"]
[server]
listen = "127.0.0.1:{server}"
data = "{root}/server"
hub = "http://127.0.0.1:{hub}"
poll_interval_seconds = 3600
[[target]]
name = "app"
repositories = [{{ url = "{url}", ref = "main" }}]
[client]
servers = ["http://127.0.0.1:{server}"]
data = "{root}/client"
hub = "http://127.0.0.1:{hub}"
settle_seconds = 0
"""
# The program tells the time in its first line: it runs.
BUILD_SH = """
case "$1" in
build) printf '#!/bin/sh\\necho %s >{fifo}\\nexec sleep 1000\\n' "$(cat words)" >app ;;
artifact) echo app ;;
esac
"""


class ByHand:
    """What has to be done in any case, by commands that do nothing else."""

    def __init__(self, root: Path, url: str, env: Mapping[str, str] = os.environ) -> None:
        self.url, self.root, self.tree = url, root, root / "tree"
        self.tree.mkdir(parents=True)
        mirror = str(root / "mirror")
        self.env = {**env, "GIT_DIR": mirror, "GIT_WORK_TREE": str(self.tree)}
        self.running: subprocess.Popen[bytes] | None = None
        subprocess.run(["git", "init", "--quiet", "--bare", mirror], check=True)

    def deliver(self) -> None:
        """Fetch, build and start the newest commit."""
        self.run("git", "fetch", "--quiet", self.url, "+refs/heads/main:refs/tip")
        self.run("git", "read-tree", "--reset", "-u", "refs/tip")
        program = self.build()
        self.stop()
        self.running = subprocess.Popen([program])

    def build(self) -> Path:
        """What the commit makes."""
        self.run("sh", "build.sh", "build")
        self.run("sh", "build.sh", "artifact")
        program = Path(shutil.copy(self.tree / "app", self.root / "app"))
        program.chmod(0o755)
        return program

    def stop(self) -> None:
        """End what runs."""
        if self.running:
            self.running.kill()
            self.running.wait()

    def run(self, *argv: str) -> None:
        """One command, in the tree."""
        subprocess.run(argv, cwd=self.tree, env=self.env, stdout=subprocess.DEVNULL, check=True)


class Arrivals:
    """The pipe into which each program says that it runs."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        # Opened for both, so that it never ends between two programs.
        self.file = os.fdopen(os.open(path, os.O_RDWR), "r", encoding="ascii")

    def time_ms(self, words: str, deliver: Callable[[], None]) -> float:
        """Milliseconds until the program built of these words runs."""
        began = time.monotonic()
        deliver()
        while self.file.readline().strip() != words:
            pass
        return (time.monotonic() - began) * 1000


def post_push(port: int, after: str, url: str) -> None:
    """Deliver a webhook as the forge does."""
    delivery = push(after, url=url)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/webhooks/github/main", delivery.body, delivery.headers)
    if connection.getresponse().status != http.HTTPStatus.ACCEPTED:
        raise SystemExit("the hub refuses the webhook")
    connection.close()


@contextmanager
def chain(root: Path, url: str) -> Iterator[int]:
    """A hub, a server and a client; the hub's port."""
    hub, server = free_ports(2)
    file = root / "directcd.toml"
    values = {"root": root, "hub": hub, "server": server, "url": url}
    file.write_text(CONFIGURATION.format(secret=SECRET.decode(), **values))
    with ExitStack() as stack:
        for part, word in (("hub", "listening"), ("server", "subscribed"), ("client", "running")):
            command = [sys.executable, "-m", "directcd", part, "-c", str(file)]
            process = stack.enter_context(started(command, word))
            # Somebody must read what they log, or they would wait for that.
            stack.enter_context(
                subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield hub


def rounds(root: Path) -> Iterator[tuple[float, float]]:
    """Milliseconds by hand and by directcd, for each commit."""
    fifo = root / "arrivals"
    arrivals = Arrivals(fifo)
    source = Source(root / "git" / "acme" / "app")
    source.commit({"build.sh": BUILD_SH.format(fifo=fifo), "words": "first"})
    with ExitStack() as stack:
        server = stack.enter_context(GitServer.serving(root / "git"))
        url = server.url("acme/app/.git")
        by_hand = ByHand(root / "by-hand", url)
        stack.callback(by_hand.stop)
        hub = stack.enter_context(chain(root, url))
        for number in range(ROUNDS):
            words = f"round{number}"
            deliver = partial(post_push, hub, source.commit({"words": words}), url)
            yield arrivals.time_ms(words, by_hand.deliver), arrivals.time_ms(words, deliver)


def main() -> None:
    """Print the medians, and what directcd adds."""
    with tempfile.TemporaryDirectory() as place:
        timed = list(rounds(Path(place)))[WARM_UP:]
    plain, full = (statistics.median(one[index] for one in timed) for index in (0, 1))
    added = statistics.median(full - plain for plain, full in timed)
    print(f"by hand (fetch, read-tree, build.sh twice, start) {plain:7.1f} ms")
    print(f"webhook sent -> new program runs                  {full:7.1f} ms")
    print(f"directcd's own part                               {added:7.1f} ms (goal {GOAL_MS})")
    print(f"ratio {full / plain:.2f}")


if __name__ == "__main__":
    main()
