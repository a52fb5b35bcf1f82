"""
One repository as git has it: a bare mirror of it, and a build tree of one of its commits.

    RepositoryError
    +-- Unreachable     network, authentication, time-out: worth trying again
    +-- RefMissing      the remote has no such ref (yet)
"""

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cd4sources.disk import NO_SPACE, put, remove
from cd4sources.redacting import redacted
from cd4sources.running.commands import CommandError, Completed
from cd4sources.sources.credentials import NoCredential
from cd4sources.sources.git import Git
from cd4sources.sources.housekeeping import drop_leftovers, needs_packing
from cd4sources.sources.tips import Tips
from cd4sources.sources.trees import check_out
from cd4sources.targets import Repository
from cd4sources.undisturbed import in_thread

_TIP = "refs/directcd/tip"
_NO_SUCH_REF = 2  # git ls-remote --exit-code: reached, but nothing matches
FETCH = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
_CANNOT_WRITE = re.compile(f"{NO_SPACE}|unable to write|could not write")
_MAKE_ROOM = "make room if the disk is full"
_IN_GENERAL = "Could not read from remote repository"
_MOVED = re.compile(r"returned error: 30[1278]")

logger = logging.getLogger(__name__)


class RepositoryError(Exception):
    """git did not do what was asked; the message names the redacted URL and git's last line."""


class Unreachable(RepositoryError):
    """The remote does not answer, or does not let us in."""


class RefMissing(RepositoryError):
    """The remote has no such ref."""


@dataclass(frozen=True)
class _Tip:
    """What the ref names, and the commit behind it: an annotated tag is an object of its own."""

    named: str
    commit: str


class Mirror:
    """A bare copy of one repository, and the build trees made from it."""

    def __init__(
        self, directory: Path, repository: Repository, git: Git, tips: Tips | None = None
    ) -> None:
        """
        Open or plan a mirror; one that a killed life had begun beside it is removed.

        Args:
            directory: Where it is or will be; nobody else uses it.
            repository: What it mirrors.
            git: How git is run.
            tips: How a remote is asked whether there is anything new. Default: by fetching.
        """
        self._directory = directory
        self._repository = repository
        self._git = git
        self._tips = tips
        self._fresh = directory.with_name(f"{directory.name}.new")
        remove(self._fresh)
        self._env = {"GIT_DIR": str(directory)}
        self._tip: _Tip | None = None
        self._doubted = False
        self._packed = False

    async def fetch(self, *, ask_first: bool = True) -> str:
        """
        Bring the configured ref up to date, force pushes included.

        Args:
            ask_first: Run no git when the remote says that there is nothing new.

        Returns:
            The full hash of the commit it names now.

        Raises:
            Unreachable: Network, authentication or time-out.
            RefMissing: The remote has no such ref.
            RepositoryError: It was reached, but git fails even with a fresh mirror.
        """
        if ask_first and self._tip and await self._is_at(self._tip.named):
            return self._tip.commit
        with self._translated():
            await self._bring_up_to_date()
            self._tip = await self._read_tip()
        return self._tip.commit

    async def look_up(self) -> None:
        """
        Ask whether the remote has the ref, and fetch nothing.

        Raises:
            Unreachable: Network, authentication or time-out.
            RefMissing: The remote has no such ref.
        """
        with self._translated():
            if not await self._answers():
                raise self._missing()

    async def holds(self, commit: str) -> bool:
        """Tell whether a full hash names an object that was fetched."""
        if self._tip and commit in {self._tip.named, self._tip.commit}:
            return True
        return (await self._git("cat-file", "-e", values=(commit,), env=self._env)).returncode == 0

    async def has(self, commit: str, names: Sequence[str]) -> frozenset[str]:
        """Which of these files a commit has at its top level."""
        values = (commit, *names)
        listed = await self._git("ls-tree", "--name-only", values=values, env=self._env)
        if listed.returncode:
            raise self._broken(listed)
        return frozenset(listed.stdout.splitlines())

    async def checkout(self, commit: str, tree: Path) -> None:
        """
        Make a directory hold exactly a commit's files: no more, no less, and no `.git`.

        Args:
            commit: One that `fetch` returned.
            tree: The directory; its index and its marker of completeness stand beside it.

        Raises:
            RepositoryError: Not even a fresh directory could be filled; the next fetch clones.
        """
        if failed := await check_out(self._git, self._directory, commit, tree):
            raise self._broken(failed)

    async def pack(self) -> None:
        """Pack what many fetches left, when it is much; may be cancelled at any time."""
        if not self._packed and await asyncio.to_thread(needs_packing, self._directory):
            await self._git("gc", "--quiet", "--prune=now", env=self._env)
        self._packed = True

    async def _is_at(self, named: str) -> bool:
        """Tell whether the remote's ref still is where the mirror has it."""
        usable = not self._doubted and (self._directory / "HEAD").exists()
        return bool(usable and self._tips and await self._tips.tip(self._repository) == named)

    async def _bring_up_to_date(self) -> None:
        """Fetch; when that fails, find out whether remote or mirror is to blame."""
        self._packed = False
        failed = None if self._doubted else await self._fetched(self._directory)
        if not (failed or self._doubted):
            return
        if failed and _cannot_write(failed):
            raise RepositoryError(self._message("fetch", _last_line(failed), _MAKE_ROOM))
        if not await self._answers():
            raise self._missing()
        if not self._doubted:
            failed = await self._fetched(self._directory)
        if failed or self._doubted:
            await self._replace(_object_format(failed))

    async def _fetched(self, directory: Path, object_format: str = "sha1") -> Completed | None:
        """Fetch; the command that failed, if any."""
        env = {"GIT_DIR": str(directory)}
        await asyncio.to_thread(drop_leftovers, directory)
        if await asyncio.to_thread(_is_new, directory):
            options = ("--bare", "--quiet", "--template=", f"--object-format={object_format}")
            await self._git("init", *options, env=env)
        values, credential = fetch_values(self._repository), self._repository.credential
        done = await self._git("fetch", *FETCH, values=values, env=env, credential=credential)
        return done if done.returncode else None

    async def _replace(self, object_format: str) -> None:
        """Clone again; the old mirror makes room when the new one is there."""
        failed = await self._fetched_afresh(object_format or "sha1")
        if failed and (wanted := _object_format(failed)):
            failed = await self._fetched_afresh(wanted)
        if failed:
            step = "see the disk: the remote answers, but not even a fresh mirror takes it"
            raise RepositoryError(self._message("fetch", _last_line(failed), step))
        await in_thread(put, self._fresh, self._directory)
        await in_thread(remove, self._fresh)
        self._doubted = False
        logger.warning("mirror cloned again", extra={"directory": str(self._directory)})

    async def _fetched_afresh(self, object_format: str) -> Completed | None:
        await in_thread(remove, self._fresh)
        return await self._fetched(self._fresh, object_format)

    async def _answers(self) -> bool:
        """Tell whether the remote has the ref; raise when it cannot be asked."""
        ref = self._repository.ref or "HEAD"
        credential, values = self._repository.credential, (self._repository.url, ref)
        asked = await self._git("ls-remote", "--exit-code", values=values, credential=credential)
        if asked.returncode not in {0, _NO_SUCH_REF}:
            step = await self._step_after(asked)
            raise Unreachable(self._message("reach", _last_line(asked), step))
        # It matches by tail: refs/pull/refs/heads/main is not refs/heads/main.
        return any(line.partition("\t")[2] == ref for line in asked.stdout.splitlines())

    async def _step_after(self, asked: Completed) -> str:
        """What to do about a remote that refuses; one that has moved says where to."""
        if not _MOVED.search(asked.tail):
            return "see that the url, the network and the credential are right"
        place = await self._tips.moved(self._repository) if self._tips else ""
        where = f"to {place}" if place else "to where the repository has moved"
        return f"it redirects, and redirects are not followed: set `url` {where}"

    async def _read_tip(self) -> _Tip:
        found = await self._git("rev-parse", "--quiet", _TIP, f"{_TIP}^{{commit}}", env=self._env)
        if found.returncode:
            raise RepositoryError(
                self._message("read", "its ref names no commit", "correct the branch or ref")
            )
        return _Tip(*found.stdout.split())

    def _missing(self) -> RefMissing:
        step = "push it, or correct the branch or ref"
        return RefMissing(self._message("look up", "no such ref there", step))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what keeps git from asking into our errors, cause kept."""
        try:
            yield
        except CommandError as error:
            raise Unreachable(self._message("fetch", str(error), "see network and disk")) from error
        except NoCredential as error:
            step = "write the password or token there, readable for this user"
            raise Unreachable(self._message("log in to", str(error), step)) from error

    def _broken(self, done: Completed) -> RepositoryError:
        """The mirror lacks something, and the next fetch clones it; or the disk is to blame."""
        self._doubted = not _cannot_write(done)
        step = "nothing: the next pass clones it again" if self._doubted else _MAKE_ROOM
        return RepositoryError(self._message("check out", _last_line(done), step))

    def _message(self, verb: str, reason: str, step: str) -> str:
        """One sentence without any secret: what, where, why, what next."""
        where = f"{self._repository.url} at {self._repository.ref or 'HEAD'}"
        return redacted(f"cannot {verb} {where}: {reason}; next: {step}")


def fetch_values(repository: Repository) -> tuple[str, ...]:
    """What stands behind the options of `git fetch`: from where, and which ref to where."""
    return (repository.url, f"+{repository.ref or 'HEAD'}:{_TIP}")


def _object_format(failed: Completed | None) -> str:
    """How the remote names objects, when it failed because the mirror does that in another way."""
    told = failed and re.search(r"mismatched algorithms: client \w+; server (sha\d+)", failed.tail)
    return told[1] if told else ""


def _is_new(directory: Path) -> bool:
    """Tell whether a repository has still to be made there; the directory is."""
    directory.mkdir(parents=True, exist_ok=True)
    return not (directory / "HEAD").exists()


def _cannot_write(done: Completed) -> bool:
    """Tell whether the disk did not take something; git does not always say why."""
    return bool(_CANNOT_WRITE.search(done.tail))


def _last_line(done: Completed) -> str:
    """What git said last that says something, on one line of printable characters."""
    lines = [re.sub(r"[^\x20-\x7e]+", " ", line).strip() for line in done.tail.splitlines()]
    said = [line for line in lines if line and not line.startswith(("hint:", "remote:"))]
    full = [line for line in said if _CANNOT_WRITE.search(line)]
    # The last line may be the end of a longer advice; what went wrong begins with these words, and
    # behind what really did git says once more that it could not read.
    wrong = [line for line in said if line.startswith(("fatal:", "error:", "ssh:"))]
    specific = [line for line in wrong if _IN_GENERAL not in line]
    said = full or specific or wrong or said
    return said[-1] if said else f"git ended with {done.returncode}"
