"""
What can be configured, as frozen values; reading files and variables belongs to the command.

Every duration carries its unit in the name. Unknown keys are errors. A repository's URL may hold
a password: it is masked in every repr, and no error text shows an input value.
"""

import hashlib
import os
import signal
import socket
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    SecretStr,
)

from cd4sources.tokens import Scope

MAX_PORT = 65535


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


def _server_name(validated: dict[str, Any]) -> str:
    return _name("cd4sources", validated)


def _client_name(validated: dict[str, Any]) -> str:
    return _name("client", validated)


def _name(role: str, validated: dict[str, Any]) -> str:
    """A name of its own for each data directory, the same after a restart."""
    data = hashlib.sha256(str(validated.get("data", "")).encode()).hexdigest()
    return f"{role}@{socket.gethostname()}-{data[:6]}"


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


def _socket_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not address.startswith("/") and not (host and _is_port(port)):
            raise ValueError("write host:port, such as 127.0.0.1:9000, or a path, /run/app.sock")
    return addresses


def has_dot_segments(url: str) -> bool:
    """Whether its path, however it is quoted, leads elsewhere than it says by a `.` or `..`."""
    return not {".", ".."}.isdisjoint(unquote(urlsplit(url).path).split("/"))


def _http_parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write a whole address, such as http://127.0.0.1:8081")
    _ = parts.port  # says what is wrong with it
    return parts


def _server(url: str) -> str:
    """In one spelling: what the server says of its artifacts is compared with it."""
    if "@" in url:
        raise ValueError("no user and password in a server's URL; put a token into token_file")
    parts = _http_parts(url)
    if has_dot_segments(url):
        raise ValueError("no dots in a server's path: write where it leads")
    return urlunsplit(parts._replace(netloc=parts.netloc.lower())).rstrip("/")


def _health_url(url: str) -> str:
    if url:
        _http_parts(url)
    return url


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= MAX_PORT


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

    in_place: bool = False
    """Whether Go's replacements are written into the build tree's own go.mod, which is put back
    afterwards. Default false: go reads an edited copy, and the tree is never changed. The program
    is the same; true is for a go.mod that must be seen where it stands."""


class TokenSettings(_Settings):
    """What the holder of one bearer token may do."""

    name: str = Field(min_length=1)
    """Who holds it: shown in refusals and logs."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The token's digest, as `directcd token new` prints it; no secret."""

    scopes: tuple[Scope, ...] = Field(default=("read",), min_length=1)
    """`read`: watch, download, look. `admin`: that, and whatever changes something. Default
    `read`, which is what a client needs."""

    repositories: tuple[str, ...] = ()
    """Globs over repository keys (`git.example.com/acme/*`): a target is allowed when every one of
    its repositories is. Default empty: all."""


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

    hub_token_file: FromHere | None = None
    """File with the bearer token for the hub, of the scopes `subscribe` and `report`, read each
    time it is used, so that it may be exchanged. Default none: a hub that has no tokens."""

    name: str = Field(default_factory=_server_name)
    """Name of this server's subscription at the hub, and the reporter in timelines. Default
    `cd4sources@<host name>-<digits of data>`: a restart takes its own subscription over, and no
    other's."""

    poll_interval_seconds: PositiveFloat = 60.0
    """Seconds between looks without a wake. Default 60: the longest a lost notification costs, at
    one small request each. Cannot be switched off (it heals every loss); raise it instead."""

    build_timeout_seconds: PositiveFloat = 1800.0
    """Seconds that one fetch or one build command may take before its whole process tree is
    killed. Default 1800: longer than a cold build of a large program, shorter than a lost day."""

    build_parallel: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Builds that run at once; others wait for their turn. Default: one a processor, because a push
    to a shared library wakes every target that uses it."""

    build_user: str = ""
    """Name or number of the user that build commands run as; needs a server that runs as root.
    Default empty: the server's own user. One user builds all targets: it is kept from the server's
    files, but only `build_sandbox` keeps targets from each other. So have both if those who push to
    one target are not to change another. Go's caches are each target's own then, whatever GOCACHE
    and GOMODCACHE say, as they are with `build_sandbox`."""

    build_sandbox: Literal["none", "bubblewrap"] = "none"
    """`bubblewrap`: build commands see the file system read-only, except their tree, their
    siblings, HOME, TMPDIR and their target's own Go caches; of the data directory nothing else; of
    processes their own. The network stays. Default `none`, because bubblewrap must be installed,
    and containers often forbid what it needs."""

    build_max_open_files: int = Field(default=65_536, ge=64)
    """Files that a process of a build may have open, as far as the server itself may. Default
    65536: more than any linker needs, and closing every possible one is still fast."""

    build_max_file_bytes: NonNegativeInt = 16 * 1024**3
    """Bytes of the largest file a build may write. Default 16 GiB: above any artifact, below a
    disk. 0: no limit."""

    build_max_memory_bytes: NonNegativeInt = 0
    """Bytes of address space of each process of a build. Default 0, no limit: Go, Java and Node
    reserve far more than they use, so that a limit that protects the machine stops them, too."""

    build_max_processes: NonNegativeInt = 0
    """Processes and threads that `build_user` may have in all. Default 0, no limit: the kernel
    counts by user, and never for root; without `build_user` a build would share the count with the
    server."""

    keep_builds: int = Field(default=50, ge=1)
    """Builds whose log and outcome are kept per target, newest first. Default 50: some days of
    work, at 64 MiB each at the very most."""

    keep_versions: int = Field(default=5, ge=1)
    """Versions kept per target, those offered last first; the current one, a pinned one and those
    that a client runs are never removed. Default 5: enough to go back past a bad day."""

    keep_bytes: NonNegativeInt = 10 * 1024**3
    """Bytes of artifacts kept per target; what `keep_versions` says of the current, the pinned and
    running ones holds here, too. Default 10 GiB: large artifacts do not fill the disk unnoticed.
    0: no limit."""

    min_free_bytes: NonNegativeInt | None = None
    """Bytes that must be free on the disk of `data` before a build; else old versions, old logs and
    caches go. Default 512 MiB, or a tenth of a small disk: a build in the middle of its work, and
    the log of what went wrong. 0: nothing is removed before the disk is full."""

    tokens: tuple[TokenSettings, ...] = ()
    """Who may ask, several during a rotation. Default empty: everybody who reaches the port."""

    signing_key_file: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """PEM file of the Ed25519 key that signs artifacts (`directcd key new`). Default none: clients
    rely on the digest alone."""


class ClientSettings(_Settings):
    """The half that downloads, starts and supervises."""

    servers: tuple[Annotated[str, AfterValidator(_server)], ...] = Field(
        default=("http://127.0.0.1:8081",), min_length=1
    )
    """Servers to watch, in order of preference. When one does not answer, or lags behind what this
    client has had from another, the next one is asked; the first is asked again after 30 to 80 s.
    No user and password in them: that is what `token_file` is for."""

    token_file: Path | None = None
    """File with the bearer token for the servers, read each time it is used, so that it may be
    exchanged. Default none: servers on loopback need no token."""

    public_keys: tuple[str, ...] = ()
    """Ed25519 public keys, base64 or PEM. With any key here or in `public_key_files`, only versions
    that one of them has signed are taken. Default none: the digest alone is checked."""

    public_key_files: tuple[Path, ...] = ()
    """Files with one such key each, read at the start. Default none."""

    target: str = ""
    """Name of the target in reports. Default empty: the name the server gives it."""

    data: DataDirectory = Path("/var/lib/directcd/client")
    """Directory of downloaded versions. One client per directory."""

    keep_versions: int = Field(default=3, ge=2)
    """Versions kept here, the current one included. Default 3: it, the one before it, and one more
    to compare with. At least 2: there must be one to go back to."""

    hub: HubAddress = ""
    """URL of the hub that stages are reported to, or of the hubs' Redis. Default empty: no
    reports."""

    hub_token_file: FromHere | None = None
    """File with the bearer token for the hub, of the scope `report`, read each time it is used.
    Default none: a hub that has no tokens."""

    name: str = Field(default_factory=_client_name, max_length=200)
    """Name of this client in timelines. Default `client@<host name>-<digits of data>`: the clients
    of one machine are told apart, and a restart is nobody new."""

    args: tuple[str, ...] = ()
    """Arguments of the delivered program. Default: none."""

    sockets: Annotated[tuple[str, ...], AfterValidator(_socket_addresses)] = ()
    """Addresses that this client listens on for the program, `127.0.0.1:9000` or `/run/app.sock`.
    The program finds them from descriptor 3 on, as `LISTEN_FDS` says (sd_listen_fds(3)), and a swap
    loses no connection. Default none: the program listens for itself."""

    overlap: bool | Literal["auto"] = True
    """Whether the new program starts beside the old one. Default true: nothing is down meanwhile.
    false: the old one is stopped first, and started again when the new one is sick; for programs
    with a fixed port that know neither `sockets` nor SO_REUSEPORT. "auto": beside it; when the new
    one fails at once and the old one listens, it is tried alone, and if that helps, the old one is
    stopped first from then on."""

    stop_signal: Annotated[str, AfterValidator(_known_signal)] = "TERM"
    """Signal that asks the old program to end. Default TERM, what service managers send."""

    stop_timeout_seconds: NonNegativeFloat = 10.0
    """Seconds between that signal and SIGKILL of the whole process tree. Default 10, as container
    engines do. 0: SIGKILL at once."""

    health_url: Annotated[str, AfterValidator(_health_url)] = ""
    """Answers 2xx when the new program is ready. Default empty: being alive is enough. Where old
    and new share an address the old one may answer: `health_command` can tell them apart."""

    health_command: tuple[str, ...] = ()
    """Program and arguments that exit with 0 when the new program is ready. It has the program's
    environment (`DIRECTCD_VERSION`), and 5 s each time. Default none; with `health_url`, both must
    say yes."""

    health_timeout_seconds: PositiveFloat = 30.0
    """Seconds from the end of `settle_seconds` within which `health_url` and `health_command` must
    have said yes; then the version is rolled back, unless nothing else runs and it was healthy here
    before. Default 30: a slow start, not a hung one."""

    settle_seconds: NonNegativeFloat = 3.0
    """Seconds that a new program must live before its predecessor is stopped, also when its health
    URL answers (the predecessor may be answering). Default 3: start-up crashes show by then. 0:
    swap as soon as it is started, or healthy."""
