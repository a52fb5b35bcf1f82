"""The repository that somebody stands in: where it comes from, which ref, and how it is built."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from adapters import repository_keys
from cd4sources.sources.addresses import parse_address
from directcd.errors import ConfigError

RECIPES = ("build.sh", "go.mod")
_BRANCH = "refs/heads/"
_LOCAL = ("/", "./", "../")


@dataclass(frozen=True)
class Seen:
    """
    What there is.

    Attributes:
        url: the remote's, without any credential; the repository's own path when it has no remote.
        had_credential: whether one stood in it.
        ref: a branch or a full ref; empty for the remote's HEAD.
        recipe: `build.sh`, `go.mod` or nothing.
    """

    url: str
    had_credential: bool
    ref: str
    recipe: str

    @property
    def key(self) -> str:
        """Host and path, as webhooks name it; empty for a path of this machine."""
        local = self.url.startswith(("/", "file:"))
        return "" if local else min(repository_keys(self.url), default="")

    @property
    def target(self) -> str:
        """A name for what is made of it."""
        name = self.url.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")
        return re.sub(r"[^a-z0-9._-]", "-", name.lower()).lstrip("._-")[:63] or "program"


def look(directory: Path) -> Seen:
    """
    Look at the repository around a directory.

    Raises:
        ConfigError: there is none.
        BadTarget: git may not be given its remote's address.
    """
    top = Path(_top(directory))
    remote, ref = _upstream(directory)
    address = parse_address(_absolute(_git(directory, "remote", "get-url", remote), top))
    has_credential = bool(address.password or (address.origin and address.user))
    recipe = next((name for name in RECIPES if (top / name).is_file()), "")
    return Seen(address.url, has_credential, ref.removeprefix(_BRANCH), recipe)


def _top(directory: Path) -> str:
    try:
        top = _git(directory, "rev-parse", "--show-toplevel")
    except FileNotFoundError as error:
        raise ConfigError("there is no git on the PATH: install it") from error
    if not top:
        raise ConfigError(f"{directory} is in no git repository: cd to the one to deliver")
    return top


def _upstream(directory: Path) -> tuple[str, str]:
    """The remote and ref that the current branch follows, or what it will most likely follow."""
    branch = _git(directory, "symbolic-ref", "--quiet", "HEAD")
    form = "--format=%(upstream:remotename) %(upstream:remoteref)"
    followed = _git(directory, "for-each-ref", form, branch) if branch else ""
    remote, _, ref = followed.partition(" ")
    remotes = _git(directory, "remote").split()
    first = "origin" if "origin" in remotes or not remotes else remotes[0]
    return remote or first, ref or branch


def _absolute(url: str, top: Path) -> str:
    # git reads a remote's relative path from the top of the repository.
    return str(top / url) if not url or url.startswith(_LOCAL) else url


def _git(directory: Path, *words: str) -> str:
    """What git says; nothing when it fails."""
    argv = ["git", "-C", str(directory), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
