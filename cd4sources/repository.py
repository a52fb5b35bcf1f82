"""
One repository as git has it: a bare mirror of it, and a build tree of one of its commits.

    RepositoryError
    +-- Unreachable     network, authentication, time-out: worth trying again
    +-- RefMissing      the remote has no such ref (yet)
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from cd4sources.commands import CommandError, Completed
from cd4sources.disk import remove
from cd4sources.git import Git
from cd4sources.targets import Repository, redacted

_TIP = "refs/directcd/tip"
_NO_SUCH_REF = 2  # git ls-remote --exit-code: reached, but nothing matches

logger = logging.getLogger(__name__)


class RepositoryError(Exception):
    """git did not do what was asked; the message names the redacted URL and git's last line."""


class Unreachable(RepositoryError):
    """The remote does not answer, or does not let us in."""


class RefMissing(RepositoryError):
    """The remote has no such ref."""


class Mirror:
    """A bare copy of one repository, and the build trees made from it."""

    def __init__(self, directory: Path, repository: Repository, git: Git) -> None:
        """
        Open or plan a mirror; locks that a killed git left are dropped.

        Args:
            directory: Where it is or will be; nobody else uses it.
            repository: What it mirrors.
            git: How git is run.
        """
        self._directory = directory
        self._repository = repository
        self._git = git
        self._env = {"GIT_DIR": str(directory)}
        for lock in directory.rglob("*.lock"):
            lock.unlink(missing_ok=True)

    async def fetch(self) -> str:
        """
        Bring the configured ref up to date, force pushes included.

        Returns:
            The full hash of the commit it names now.

        Raises:
            Unreachable: Network, authentication or time-out.
            RefMissing: The remote has no such ref.
            RepositoryError: It was reached, but git fails even with a fresh mirror.
        """
        try:
            if await self._fetched() is None or await self._fetched_again():
                return await self._tip()
        except CommandError as error:
            raise Unreachable(self._message("fetch", str(error), "see network and disk")) from error
        raise RefMissing(self._message("look up", "no such ref there", "push it, or correct `ref`"))

    async def has(self, commit: str, names: Sequence[str]) -> frozenset[str]:
        """Which of these files a commit has at its top level."""
        listed = await self._git("ls-tree", "--name-only", commit, "--", *names, env=self._env)
        if listed.returncode:
            await self._discard()
            raise self._broken(listed)
        return frozenset(listed.stdout.splitlines())

    async def checkout(self, commit: str, tree: Path) -> None:
        """
        Make a directory hold exactly a commit's files: no more, no less, and no `.git`.

        Args:
            commit: One that `fetch` returned.
            tree: The directory; its index and its marker of completeness stand beside it.

        Raises:
            RepositoryError: Not even a fresh directory could be filled; the mirror is thrown away.
        """
        marker = tree.with_name(f"{tree.name}.commit")
        complete = await asyncio.to_thread(_is_complete, tree, marker)
        marker.unlink(missing_ok=True)
        if not (complete and await self._updated(commit, tree) is None):
            await asyncio.to_thread(_empty, tree)
            if failed := await self._updated(commit, tree):
                await self._discard()
                raise self._broken(failed)
        marker.write_text(commit, encoding="ascii")

    async def _discard(self) -> None:
        """Throw the mirror away; the next fetch clones it again."""
        logger.warning("mirror thrown away", extra={"directory": str(self._directory)})
        await asyncio.to_thread(remove, self._directory)

    async def _fetched(self) -> Completed | None:
        """Fetch; the command that failed, if any: the remote or the mirror is to blame."""
        if not (self._directory / "HEAD").exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            await self._git("init", "--bare", "--quiet", "--template=", env=self._env)
        ref = self._repository.ref or "HEAD"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        values = ("--end-of-options", self._repository.url, f"+{ref}:{_TIP}")
        done = await self._git(
            "fetch", *options, *values, env=self._env, credential=self._repository.credential
        )
        return done if done.returncode else None

    async def _fetched_again(self) -> bool:
        """After a failed fetch: the mirror is to blame if the remote answers and a retry fails."""
        if not await self._answers():
            return False
        if await self._fetched() is None:
            return True
        await self._discard()
        if failed := await self._fetched():
            step = "see the disk: the remote answers, but not even a fresh mirror takes it"
            raise RepositoryError(self._message("fetch", _last_line(failed), step))
        return True

    async def _answers(self) -> bool:
        """Tell whether the remote has the ref; raise when it cannot be asked."""
        ref = self._repository.ref or "HEAD"
        asked = await self._git(
            "ls-remote",
            "--exit-code",
            "--end-of-options",
            self._repository.url,
            ref,
            credential=self._repository.credential,
        )
        if asked.returncode not in {0, _NO_SUCH_REF}:
            step = "see that the url, the network and the credential are right"
            raise Unreachable(self._message("reach", _last_line(asked), step))
        # It matches by tail: refs/pull/refs/heads/main is not refs/heads/main.
        return any(line.partition("\t")[2] == ref for line in asked.stdout.splitlines())

    async def _tip(self) -> str:
        named = f"{_TIP}^{{commit}}"  # an annotated tag names its tag object, not the commit
        found = await self._git("rev-parse", "--verify", "--quiet", named, env=self._env)
        if found.returncode:
            raise RepositoryError(self._message("read", "its ref names no commit", "correct `ref`"))
        return found.stdout.strip()

    async def _updated(self, commit: str, tree: Path) -> Completed | None:
        """Bring a tree to a commit and clean it; the command that failed, if any."""
        index = tree.with_name(f"{tree.name}.index")
        env = self._env | {"GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": str(index)}
        await asyncio.to_thread(_drop_repositories, tree)
        steps = (("read-tree", "--reset", "-u", commit), ("clean", "-ffdx", "--quiet"))
        for step in steps:
            done = await self._git(*step, env=env)
            if done.returncode:
                return done
        return None

    def _broken(self, done: Completed) -> RepositoryError:
        step = "nothing: the mirror was thrown away, the next pass clones it again"
        return RepositoryError(self._message("check out", _last_line(done), step))

    def _message(self, verb: str, reason: str, step: str) -> str:
        """One sentence without any secret: what, where, why, what next."""
        where = f"{self._repository.url} at {self._repository.ref or 'HEAD'}"
        return redacted(f"cannot {verb} {where}: {self._masked(reason)}; next: {step}")

    def _masked(self, text: str) -> str:
        """What git printed, without the secret, in whatever way a remote had it echoed."""
        credential = self._repository.credential
        secret = (credential.password or credential.user) if credential else ""
        return text.replace(secret, "***") if secret else text


def _is_complete(tree: Path, marker: Path) -> bool:
    index = tree.with_name(f"{tree.name}.index")
    return marker.exists() and tree.is_dir() and not tree.is_symlink() and index.exists()


def _empty(tree: Path) -> None:
    """An empty directory, without index or the lock that a killed git left beside it."""
    for path in (tree, *(tree.with_name(f"{tree.name}{end}") for end in (".index", ".index.lock"))):
        remove(path)
    tree.mkdir(parents=True)


def _drop_repositories(tree: Path) -> None:
    """Remove every `.git` that a build made: git itself never cleans one up."""
    for left in list(tree.rglob(".git")):
        remove(left)


def _last_line(done: Completed) -> str:
    """What git said last that says something, on one line of printable characters."""
    lines = [re.sub(r"[^\x20-\x7e]+", " ", line).strip() for line in done.tail.splitlines()]
    said = [line for line in lines if line and not line.startswith(("hint:", "remote:"))]
    # The last line may be the end of a longer advice; what went wrong begins with these words.
    wrong = [line for line in said if line.startswith(("fatal:", "error:", "ssh:"))]
    said = wrong or said
    return said[-1] if said else f"git ended with {done.returncode}"
