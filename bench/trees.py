"""
What bringing a build tree to another commit costs, beside `git reset --hard` in a clone.

20,000 files, three of them changed from one commit to the other. Both go back and forth between
the two commits, in turns; what is timed is all of `Mirror.checkout`: git's part, the cleaning, and
the start of every process.
"""

import asyncio
import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cd4sources.sources.git import Git
from cd4sources.sources.repository import Mirror
from cd4sources.targets import Repository
from tests.support.sources import Source

FILES = 20_000
A_DIRECTORY = 10
ROUNDS = 15
GOAL_MS = 60


def made(path: Path) -> tuple[Source, list[str]]:
    """A repository, and its last two commits."""
    source = Source(path)
    names = [f"d{n % 40}/e{n // 40 % 50}/{n}.txt" for n in range(FILES)]
    first = source.commit({name: f"{name}\n" * A_DIRECTORY for name in names})
    second = source.commit(dict.fromkeys(names[:: FILES // 3 + 1], "changed\n"))
    return source, [first, second]


def reset_ms(clone: Path, commit: str) -> float:
    """What git alone takes."""
    began = time.perf_counter()
    subprocess.run(["git", "-C", str(clone), "reset", "--quiet", "--hard", commit], check=True)
    return (time.perf_counter() - began) * 1e3


async def checkout_ms(mirror: Mirror, commit: str, tree: Path) -> float:
    """What ours takes."""
    began = time.perf_counter()
    await mirror.checkout(commit, tree)
    return (time.perf_counter() - began) * 1e3


async def measured(root: Path, source: Source, commits: list[str]) -> None:
    """Print the medians of all rounds."""
    clone, tree = root / "clone", root / "trees" / "app"
    mirror = Mirror(root / "mirror", Repository(str(source.path)), Git(root / "data", 300.0))
    await mirror.fetch()
    for commit in commits:
        await mirror.checkout(commit, tree)
        reset_ms(clone, commit)
    # What was written within the second of the index is read again by git, in both.
    await asyncio.sleep(2)
    rounds = [
        (await checkout_ms(mirror, commit, tree), reset_ms(clone, commit))
        for _ in range(ROUNDS)
        for commit in commits
    ]
    ours, gits = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one / git for one, git in rounds)
    print(f"tree of {FILES} files, 3 changed   {ours:6.1f} ms   (goal {GOAL_MS})")
    print(f"git reset --hard                 {gits:6.1f} ms")
    print(f"ratio                            {ratio:6.2f}")


def main() -> None:
    """Measure in a directory that goes away."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        source, commits = made(root / "app")
        clone = ["git", "clone", "--quiet", str(source.path), str(root / "clone")]
        subprocess.run(clone, check=True)
        asyncio.run(measured(root, source, commits))


if __name__ == "__main__":
    main()
