"""
The options of `directcd pull` as one validated value: settings of a server and a client in one.

A pure function: it reads nothing but whether a directory exists. Errors name the option, never the
setting it becomes, and show no value that may hold a password.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from adapters.identity import repository_keys
from cd4sources.settings import (
    ClientSettings,
    RepositorySettings,
    ServerSettings,
    TargetSettings,
)
from cd4sources.sources.addresses import full_ref, parse_address
from cd4sources.targets import Repository, Target, TargetError
from directcd.pull.errors import BadArguments
from directcd.pull.repositories import Named, replacement, repository

S = TypeVar("S", RepositorySettings, TargetSettings, ServerSettings, ClientSettings)

_INTERVAL_SECONDS = 10.0  # shorter than a server's: it is one target, and often without a hub
_OPTIONS = {
    "args": "the program's arguments",
    "artifact": "--artifact",
    "build": "--build",
    "data": "--working-dir",
    "health_command": "--health-cmd",
    "health_timeout_seconds": "--health-timeout",
    "health_url": "--health-url",
    "hub": "--hub",
    "hub_token_file": "--hub-token-file",
    "in_place": "--in-place",
    "output": "--output",
    "overlap": "--overlap",
    "password_file": "--password-file",
    "poll_interval_seconds": "--interval",
    "ref": "--branch",
    "replaces": "--replace",
    "settle_seconds": "--settle",
    "sockets": "--socket",
    "ssh_key_file": "--ssh-key-file",
    "stop_signal": "--stop-signal",
    "stop_timeout_seconds": "--stop-timeout",
    "url": "--repo",
    "user": "--user",
}


@dataclass(frozen=True)
class Options:
    """What was written; None where it was not, which leaves the default to the settings."""

    repos: tuple[str, ...] = field(default=(), repr=False)
    replacements: tuple[str, ...] = field(default=(), repr=False)
    output: str | None = None
    branch: str | None = None
    interval: str | None = None
    working_dir: str | None = None
    hub: str | None = field(default=None, repr=False)
    hub_token_file: str | None = None
    build: str | None = None
    artifact: str | None = None
    in_place: bool = False
    stop_signal: str | None = None
    stop_timeout: str | None = None
    settle: str | None = None
    health_url: str | None = None
    health_cmd: str | None = None
    health_timeout: str | None = None
    overlap: str | None = None
    sockets: tuple[str, ...] = ()
    user: str | None = None
    password_file: str | None = None
    ssh_key_file: str | None = None
    once: bool = False
    dry_run: bool = False
    status_file: str | None = None
    as_json: bool = False
    verbose: bool = False
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pull:
    """What to pull, build and run, and how to tell of it; the hub's URL may hold a password."""

    target: TargetSettings
    server: ServerSettings = field(repr=False)
    client: ClientSettings = field(repr=False)
    once: bool = False
    dry_run: bool = False
    status_file: Path | None = None
    as_json: bool = False
    verbose: bool = False


def understood(options: Options) -> Pull:
    """
    What the options mean.

    Raises:
        BadArguments: Something is missing, malformed or contradicts something else.
    """
    main, others = _repositories(options)
    repositories = tuple(_settings_of(main, others, options))
    working_dir, target = _target(options, repositories)
    return Pull(
        target,
        _server(options, working_dir),
        _client(options, working_dir, target.name),
        once=options.once,
        dry_run=options.dry_run,
        status_file=_path(options.status_file),
        as_json=options.as_json,
        verbose=options.verbose,
    )


def _repositories(options: Options) -> tuple[Named, list[Named]]:
    """The one that is built, and the others in the order in which they were named."""
    named = [*map(repository, options.repos), *map(replacement, options.replacements)]
    main = next((one for one in named if not one.replaces), None)
    if main is None:
        raise BadArguments(
            "no repository to build: write --repo URL; one that is written --repo A=B only stands "
            "in for A"
        )
    return main, [one for one in named if one is not main]


def _settings_of(
    main: Named, others: list[Named], options: Options
) -> Iterator[RepositorySettings]:
    login = {
        "user": options.user,
        "password_file": _path(options.password_file),
        "ssh_key_file": _path(options.ssh_key_file),
    }
    yield _checked({"url": main.url, "ref": _branch(options.branch or ""), **login})
    place = _place(main.url)
    for other in others:
        is_ours = place and place == _place(other.url) and not _has_password(other.url)
        shared = login if is_ours else {}
        yield _checked({"url": other.url, "replaces": other.replaces, **shared})


def _branch(name: str) -> str:
    try:
        return full_ref(name)
    except TargetError as error:
        raise BadArguments(f"--branch: {error}") from None


def _checked(values: Mapping[str, Any]) -> RepositorySettings:
    settings = _validated(RepositorySettings, values)
    try:
        Repository.from_settings(settings)
    except TargetError as error:
        raise BadArguments(_spoken(str(error))) from None
    return settings


def _place(url: str) -> str:
    """Where a credential may go: the origin of an http(s) address, the host of one for ssh."""
    address = parse_address(url)
    if address.scheme != "ssh":
        return address.origin.lower()
    return min(repository_keys(address.url), key=len, default="").partition("/")[0]


def _has_password(url: str) -> bool:
    return bool(parse_address(url).password)


def _target(
    options: Options, repositories: tuple[RepositorySettings, ...]
) -> tuple[Path, TargetSettings]:
    output = _output(options, Repository.from_settings(repositories[0]).name)
    for option, words in (("--build", options.build), ("--artifact", options.artifact)):
        _words(option, words or "")
    values = {
        "name": _name(output),
        "repositories": repositories,
        "build": options.build,
        "artifact": options.artifact,
        "output": output,
        "in_place": options.in_place,
    }
    settings = _validated(TargetSettings, values)
    try:
        Target.from_settings(settings)
    except TargetError as error:
        raise BadArguments(_spoken(str(error).removeprefix(f"target {settings.name}: "))) from None
    return _working_dir(options, output), settings


def _output(options: Options, default: str) -> str:
    """A name: where the program is put is not for it to say."""
    output = (options.output or default).removeprefix("./")
    name = output.rstrip("/").rpartition("/")[2] or default
    if name != output:
        place = _working_dir(options, name) / "client" / "current" / name
        raise BadArguments(
            f"--output: a name without a directory, `-o {name}`; the program will be {place}"
        )
    return output


def _working_dir(options: Options, output: str) -> Path:
    return _path(options.working_dir) or Path(".directcd", output).absolute()


def _path(text: str | None) -> Path | None:
    """Absolute; `~` as a shell reads it, which does not in `--password-file=~/token`."""
    return Path(text).expanduser().absolute() if text else None


def _name(output: str) -> str:
    """The target's name: as much of the output's as that may have."""
    name = re.sub(r"[^a-z0-9._-]", "-", output.lower()).lstrip("._-")
    return name[:63] or "program"


def _server(options: Options, working_dir: Path) -> ServerSettings:
    interval = options.interval or _INTERVAL_SECONDS
    return _validated(
        ServerSettings,
        {
            "data": working_dir / "server",
            "hub": options.hub,
            "hub_token_file": _path(options.hub_token_file),
            "poll_interval_seconds": interval,
        },
    )


def _client(options: Options, working_dir: Path, name: str) -> ClientSettings:
    return _validated(
        ClientSettings,
        {
            "target": name,
            "data": working_dir / "client",
            "hub": options.hub,
            "hub_token_file": _path(options.hub_token_file),
            "args": options.args,
            "sockets": options.sockets,
            "overlap": options.overlap or "auto",
            "stop_signal": options.stop_signal,
            "stop_timeout_seconds": options.stop_timeout,
            "settle_seconds": options.settle,
            "health_url": options.health_url,
            "health_timeout_seconds": options.health_timeout,
            "health_command": _words("--health-cmd", options.health_cmd or ""),
        },
    )


def _words(option: str, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise BadArguments(f"{option}: {error}; quote it as for a shell") from None


def _validated(kind: type[S], values: Mapping[str, Any]) -> S:
    try:
        return kind.model_validate({key: one for key, one in values.items() if one is not None})
    except ValidationError as error:
        raise BadArguments("; ".join(_complaints(error))) from None


def _complaints(error: ValidationError) -> Iterator[str]:
    """One a setting, of those that were given: a default that needs another one complains, too."""
    found: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        setting = str(item["loc"][0])
        if setting in _OPTIONS:
            found.setdefault(_OPTIONS[setting], _message(setting, item["msg"]))
    return (f"{option}: {message}" for option, message in found.items())


def _message(setting: str, said: str) -> str:
    if said.startswith("Input should be a valid number"):
        return "seconds, such as 10"
    if setting == "overlap":
        return "auto, yes or no"
    if said.startswith("String should match"):
        return "letters, digits, `.`, `_`, `+` and `-`, the first of them a letter, digit or `_`"
    return said.removeprefix("Value error, ")


def _spoken(message: str) -> str:
    """A sentence about settings as one about options."""
    return re.sub(r"`(\w+)`", lambda found: f"`{_OPTIONS.get(found[1], found[1])}`", message)
