"""
What can be configured, as frozen values; reading files and variables belongs to the command.

Every duration carries its unit in the name. Unknown keys are errors. A repository's URL may hold
a password: it is masked in every repr, and no error text shows an input value.
"""

import hashlib
import signal
import socket
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    SecretStr,
)


class _Settings(BaseModel):
    """Frozen, strict about unknown keys, silent about the values that failed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


# git and builds run in directories of their own: a relative path would mean another place there.
FromHere = Annotated[Path, AfterValidator(Path.absolute)]
DataDirectory = FromHere


def _default_name(validated: dict[str, Any]) -> str:
    """A subscription's name of its own for each data directory, the same after a restart."""
    data = hashlib.sha256(str(validated.get("data", "")).encode()).hexdigest()
    return f"cd4sources@{socket.gethostname()}-{data[:6]}"


def _not_ours(name: str) -> str:
    if name in {"record.json", "build.log"}:
        raise ValueError("this file stands beside the artifact; choose another name")
    return name


HUB_SCHEMES = frozenset(
    {"http", "https", "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster",
     "rediss+cluster"}
)  # fmt: skip


def _hub_address(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if url and not (separator and rest and scheme in HUB_SCHEMES):
        raise ValueError(
            "the hub's URL, such as http://hub:8080, or its Redis's, such as redis://host:6379/0"
        )
    return url


def _known_signal(name: str) -> str:
    if f"SIG{name.removeprefix('SIG')}" not in signal.Signals.__members__:
        raise ValueError("no such signal; see `kill -l`")
    return name


HubAddress = Annotated[str, AfterValidator(_hub_address)]


class RepositorySettings(_Settings):
    """One source repository of a target."""

    url: SecretStr
    """Where git fetches from: http(s), ssh, git, file or a local path. May hold `user:password@`,
    which reaches git over a pipe only: never argv, environment, disk or logs."""

    user: str = Field(default="", repr=False)
    """Who `password_file` belongs to. Default empty: the URL's user, else `git`; forges look at a
    token alone."""

    password_file: FromHere | None = None
    """File with the password or token of an http(s) URL, one line, read anew for every call of git:
    rotate it by replacing the file. Default: none."""

    ssh_key_file: FromHere | None = None
    """Private key for an ssh URL, without a passphrase; no other is offered then. Default: those of
    the agent and of `~/.ssh`."""

    ref: str = ""
    """Branch (`main`) or full ref (`refs/tags/v1`). Default empty: what the remote's HEAD names,
    because that is what a person who gives only a URL means."""

    replaces: str = Field(default="", repr=False)
    """Go module path or repository that this one stands in for. Default empty: none; a further
    repository is then only checked out beside the first (`DIRECTCD_REPO_<NAME>`)."""


class TargetSettings(_Settings):
    """One deliverable: repositories and the words that build.sh gets."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """Lower-case letters, digits, `.`, `_`, `-`, at most 63: it becomes a directory's name."""

    repositories: tuple[RepositorySettings, ...] = Field(min_length=1)
    """The first is built; the others stand beside it."""

    build: str = "build"
    """Words passed to build.sh to build. Default `build`."""

    artifact: str = "artifact"
    """Words passed to build.sh to ask for the artifact: the last line of its output is the path in
    the tree. Default `artifact`."""

    output: Annotated[str, AfterValidator(_not_ours)] = Field(
        default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9._+-]*)?$"
    )
    """File name that clients give the artifact. Default empty: the target's name. Not `record.json`
    or `build.log`, which stand beside it."""


class ServerSettings(_Settings):
    """The half that fetches, builds and offers."""

    listen: str = "127.0.0.1:8081"
    """Address and port of /watch and /download. Default: loopback, because versions are offered
    to everyone who reaches the port."""

    data: DataDirectory = Path("/var/lib/directcd/server")
    """Directory of mirrors, build trees and versions. One server per directory."""

    hub: HubAddress = ""
    """URL of the hub whose notifications shorten the poll, or of the hubs' Redis
    (`redis://host:6379/0`). Default empty: poll only."""

    name: str = Field(default_factory=_default_name)
    """Name of this server's subscription at the hub, and the reporter in timelines. Default
    `cd4sources@<host name>-<digits of data>`: a restart takes its own subscription over, and no
    other's."""

    poll_interval_seconds: PositiveFloat = 60.0
    """Seconds between looks without a wake. Default 60: the longest a lost notification costs, at
    one small request each. Cannot be switched off (it heals every loss); raise it instead."""

    build_timeout_seconds: PositiveFloat = 1800.0
    """Seconds that one fetch or one build command may take before its whole process tree is
    killed. Default 1800: longer than a cold build of a large program, shorter than a lost day."""

    keep_versions: int = Field(default=5, ge=1)
    """Versions kept per target, newest first; the current one is never removed. Default 5: enough
    to go back past a bad day."""


class ClientSettings(_Settings):
    """The half that downloads, starts and supervises."""

    servers: tuple[str, ...] = Field(default=("http://127.0.0.1:8081",), min_length=1)
    """Servers to watch, in order of preference; the next one is tried when one does not answer."""

    target: str = ""
    """Name of the target in reports. Default empty: the name the server gives it."""

    data: DataDirectory = Path("/var/lib/directcd/client")
    """Directory of downloaded versions. One client per directory."""

    hub: HubAddress = ""
    """URL of the hub that stages are reported to, or of the hubs' Redis. Default empty: no
    reports."""

    args: tuple[str, ...] = ()
    """Arguments of the delivered program. Default: none."""

    stop_signal: Annotated[str, AfterValidator(_known_signal)] = "TERM"
    """Signal that asks the old program to end. Default TERM, what service managers send."""

    stop_timeout_seconds: NonNegativeFloat = 10.0
    """Seconds between that signal and SIGKILL of the whole process tree. Default 10, as container
    engines do. 0: SIGKILL at once."""

    health_url: str = ""
    """Answers 2xx when the new program is ready. Default empty: being alive is enough."""

    health_timeout_seconds: PositiveFloat = 30.0
    """Seconds that the health URL may take to answer 2xx before the version is rolled back.
    Default 30: a slow start, not a hung one."""

    settle_seconds: NonNegativeFloat = 3.0
    """Seconds that a new program must live before its predecessor is stopped, also when its health
    URL answers (the predecessor may be answering). Default 3: start-up crashes show by then. 0:
    swap as soon as it is started, or healthy."""
