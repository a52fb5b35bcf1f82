"""
What polling costs when nothing is new: whole passes over HTTP targets, beside `git ls-remote`.

The repository asks for a password, as most do. A real git server answers from another process,
whose CPU is not counted; that of this one and of the programs it runs is. Every round makes a pass
of each target and asks with git as well, so that both meet the same machine. A thousand passes are
made, of fewer targets than that: making each of them costs a build first.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from cd4sources.building.builds import Builds
from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.following import Follower
from cd4sources.keeping.store import Store
from cd4sources.means import Means
from cd4sources.reporting import Reporter
from cd4sources.settings import RepositorySettings, ServerSettings, TargetSettings
from cd4sources.sources.remotes import Remotes
from cd4sources.sources.tips import Tips
from cd4sources.targets import Target
from cd4sources.wakes import Wake
from tests.support.githttp import GitServer
from tests.support.serving import BUILD_SH
from tests.support.sources import Source

USER, PASSWORD = "dev", "of-nothing"
TARGETS = 100
ROUNDS = 10
ASKED_BY_GIT = 10  # a round
GOAL_MS = 3.0
GOAL_RATIO = 0.2


def cpu_seconds() -> float:
    """Of this process and the programs it has run."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


@contextmanager
def git_server(root: Path) -> Iterator[str]:
    """A server in a process of its own; its address."""
    argv = [sys.executable, "-P", __file__, str(root)]
    address = root / "address"
    with subprocess.Popen([*argv, str(address)], stdin=subprocess.PIPE) as server:
        while not address.exists():
            time.sleep(0.01)
        yield address.read_text()
        server.kill()


def serve(root: Path, address: Path) -> None:
    """Be that server, until the end of standard input."""
    with GitServer.serving(root, user=USER, password=PASSWORD) as server:
        fresh = address.with_suffix(".new")
        fresh.write_text(server.url("app", USER, PASSWORD))
        fresh.replace(address)
        sys.stdin.read()


async def made(url: str, data: Path, tips: Tips) -> list[Follower]:
    """Targets that have built what there is."""
    settings = ServerSettings(data=data)
    store, builds = Store(data, keep_versions=1), Builds(data, keep_builds=1)
    means = Means(settings, store, builds, Caches(data), Reporter(None), Lanes(1), tips)
    followers = []
    for number in range(TARGETS):
        repository = RepositorySettings(url=SecretStr(url))
        target = TargetSettings(name=f"app-{number}", repositories=(repository,))
        followers.append(Follower(Target.from_settings(target), means))
        await passed(followers[-1], Wake("start"))
    return followers


async def passed(follower: Follower, wake: Wake) -> None:
    """One pass, which must go well."""
    if error := await follower.look(wake):
        raise error


async def pass_ms(followers: list[Follower]) -> float:
    """CPU of one pass with nothing new."""
    began = cpu_seconds()
    for follower in followers:
        await passed(follower, Wake("poll"))
    return (cpu_seconds() - began) / len(followers) * 1e3


def git_ms(url: str) -> float:
    """CPU of asking once with git."""
    began = cpu_seconds()
    for _ in range(ASKED_BY_GIT):
        subprocess.run(["git", "ls-remote", url, "HEAD"], check=True, stdout=subprocess.DEVNULL)
    return (cpu_seconds() - began) / ASKED_BY_GIT * 1e3


async def measured(url: str, data: Path) -> None:
    """Print the medians of all rounds."""
    async with aclosing(Remotes()) as remotes:
        followers = await made(url, data, Tips(remotes, {}))
        rounds = [(await pass_ms(followers), git_ms(url)) for _ in range(ROUNDS)]
    ours, gits = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one / git for one, git in rounds)
    print(f"a pass with nothing new   {ours:6.2f} ms CPU   (goal {GOAL_MS})")
    print(f"git ls-remote             {gits:6.2f} ms CPU")
    print(f"ratio                     {ratio:6.2f}          (goal {GOAL_RATIO})")
    print(f"1,000 targets a round     {ours:6.2f} s CPU")


def main() -> None:
    """Make a repository, serve it, and poll it."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        Source(root / "git" / "app").commit({"build.sh": BUILD_SH, "words": "one"})
        with git_server(root / "git") as url:
            asyncio.run(measured(url, root / "data"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main()
