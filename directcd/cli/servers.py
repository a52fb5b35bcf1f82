"""What commands share that ask a server or a hub: address, token, and how a "no" ends them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from directcd.cli import nearby
from directcd.exits import Exit
from directcd.terminal import line

if TYPE_CHECKING:
    from cd4sources.http import BadStatus
    from directcd.whom import Asked

F = TypeVar("F", bound=Callable[..., Any])

_NO_TOKEN = 401
_UNAUTHORISED = frozenset({_NO_TOKEN, 403})


class Refused(click.ClickException):
    """Ends the command with a sentence, which may be a server's, and a code."""

    def __init__(self, message: str, exit_code: Exit) -> None:
        super().__init__(line(message))
        self._exit_code = exit_code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What the command exits with."""
        return self._exit_code


@dataclass(frozen=True)
class Server:
    """Whom a command asks: its address, our token there, and the option that names another."""

    address: str
    token: str = field(repr=False)
    option: str = "--server"


@dataclass(frozen=True)
class Target(Server):
    """A target at a server, and the query that names it."""

    query: list[tuple[str, str]] = field(default_factory=list)


def server(function: F) -> F:
    """`--server` and `--token-file`, given as one Server named `server`."""

    @wraps(function)
    def with_server(*, address: str, token: str, **others: Any) -> Any:
        return function(server=Server(*_server_named(address, token)), **others)

    for option in (_TOKEN, _SERVER):
        with_server = option(with_server)
    return with_server  # type: ignore[return-value]


def hub(function: F) -> F:
    """`--hub` and `--token-file`, given as one Server named `hub`."""

    @wraps(function)
    def with_hub(*, address: str, token: str, **others: Any) -> Any:
        return function(hub=hub_named(address, token), **others)

    return hub_options(with_hub)  # type: ignore[return-value]


def hub_options(function: F) -> F:
    """`--hub` and `--token-file` as `address` and `token`, for `hub_named`."""
    return _HUB(_TOKEN(function))


def hub_named(address: str, token: str) -> Server:
    """
    The hub that options name, or else directcd.toml.

    Raises:
        ConfigError: None is named, and the file cannot be used.
    """
    return Server(*_named(address, token, nearby.hub), "--hub")


def target(function: F) -> F:
    """`--server`, `--token-file`, `--repo` and `--ref`, given as one Target named `target`."""

    @wraps(function)
    def with_target(
        *, address: str, token: str, repos: tuple[str, ...], ref: str, **others: Any
    ) -> Any:
        query = [("repo", one) for one in repos] + ([("ref", ref)] if ref else [])
        return function(target=Target(*_server_named(address, token), query=query), **others)

    for option in (_REF, _REPOS, _TOKEN, _SERVER):
        with_target = option(with_target)
    return with_target  # type: ignore[return-value]


def token_file(function: F) -> F:
    """`--token-file`, given as its content named `token`."""
    return _TOKEN(function)


def as_json(function: F) -> F:
    """`--json`: data instead of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


@contextmanager
def failures(option: str = "--server") -> Iterator[None]:
    """
    End the command with one sentence and the agreed exit code when whoever is asked says no.

    Args:
        option: names another one to ask.
    """
    from cd4sources.http import BadStatus, HttpError, Unreachable

    try:
        yield
    except Unreachable as error:
        message = f"{error}; see that it runs, or name another {option}"
        raise Refused(message, Exit.UNREACHABLE) from error
    except BadStatus as error:
        raise Refused(f"{error}{_hint(error)}", _exit_code(error)) from error
    except HttpError as error:
        raise Refused(str(error), Exit.FAILED) from error


def _server_named(address: str, token: str) -> tuple[str, str]:
    return _named(address, token, nearby.server)


def _named(address: str, token: str, default: "Callable[[], Asked]") -> tuple[str, str]:
    if address:
        return address, token
    asked = default()
    return asked.address, token or token_in(asked)


def token_in(asked: "Asked") -> str:
    """
    The token in the file that directcd.toml names.

    Raises:
        ConfigError: It cannot be read.
    """
    from cd4sources.token_files import TokenUnusable, read_token
    from directcd.errors import ConfigError

    try:
        return read_token(asked.token_file, asked.setting)
    except TokenUnusable as error:
        raise ConfigError(f"{error}; mend it, or give a token by --token-file") from error


def _hint(error: "BadStatus") -> str:
    # What is asked tells how requests carry a token, and not how a command does.
    return "; a command sends the one in --token-file FILE" if error.status == _NO_TOKEN else ""


def _exit_code(error: "BadStatus") -> Exit:
    if error.status in _UNAUTHORISED:
        return Exit.FORBIDDEN
    return Exit.NOTHING_NEW if error.problem.code == "unknown-trace" else Exit.FAILED


def checked_address(_: click.Context, __: click.Parameter, url: str) -> str:
    """An option's address, without a slash at the end; it may hold no password."""
    if not url:
        return ""
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
        raise click.BadParameter("write http://host:port or https://host")
    if "@" in url:
        raise click.BadParameter(
            "holds a user or password, which every user of this machine could read: "
            "use --token-file"
        )
    return url.rstrip("/")


def without_passwords(
    _: click.Context, __: click.Parameter, repos: tuple[str, ...]
) -> tuple[str, ...]:
    """The addresses, of which none may hold what every user of this machine could read."""
    for repo in repos:
        if re.search(r"://[^/@]*:[^/]*@", repo):
            raise click.BadParameter("holds a password: leave it out, the server has its own")
    return repos


def checked_version(_: click.Context, __: click.Parameter, version: str) -> str:
    """A version that an argument or an option names; "" when none does."""
    from cd4sources.keeping.versions import VERSION

    if version and not VERSION.fullmatch(version):
        raise click.BadParameter("a version is v- and 12 hex digits: `directcd versions list`")
    return version


def read_token_option(_: click.Context, __: click.Parameter, file: Path | None) -> str:
    """The token in the file that an option names."""
    from cd4sources.token_files import TokenUnusable, read_token

    try:
        return read_token(file)
    except TokenUnusable as error:
        raise click.BadParameter(str(error)) from error


_SERVER = click.option(
    "-s",
    "--server",
    "address",
    default="",
    callback=checked_address,
    envvar="DIRECTCD_SERVER_URL",
    show_envvar=True,
    help="The cd4sources server. Default: [server] listen of ./directcd.toml, or the first of its "
    "[client] servers, if it is on this machine; else http://127.0.0.1:8081.",
)
_HUB = click.option(
    "--hub",
    "address",
    default="",
    callback=checked_address,
    envvar="DIRECTCD_HUB_URL",
    show_envvar=True,
    help="The hub. Default: [hub] listen of ./directcd.toml, or `hub` of its [server] or [client], "
    "if it is on this machine; else http://127.0.0.1:8080.",
)
_TOKEN = click.option(
    "--token-file",
    "token",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=read_token_option,
    envvar="DIRECTCD_TOKEN_FILE",
    show_envvar=True,
    help="Holds the bearer token, when one is wanted. Default: the file that ./directcd.toml names "
    "for whom it names.",
)
_REPOS = click.option(
    "-r",
    "--repo",
    "repos",
    required=True,
    multiple=True,
    callback=without_passwords,
    metavar="URL",
    help="A repository of the target, in any spelling; name all of them.",
)
_REF = click.option(
    "--ref", default="", help="Of the first repository, when several targets are made of these."
)
