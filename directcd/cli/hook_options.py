"""The options of the commands of `directcd hook`, and what they come to."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from directcd.cli import nearby, options, servers
from directcd.terminal import colourless

if TYPE_CHECKING:
    from directcd.config import Config
    from directcd.hooks.choosing import Chosen
    from directcd.hooks.working import Means

F = TypeVar("F", bound=Callable[..., Any])

TOKEN_VARIABLE = "DIRECTCD_FORGE_TOKEN"  # noqa: S105 - its name
WAIT_SECONDS = 20.0
_MOST_SECONDS = 600.0


@dataclass(frozen=True)
class Words:
    """What a person named."""

    repository: str
    organisation: str
    source: str
    file: Path
    is_file_named: bool

    @property
    def is_all(self) -> bool:
        """Whether every repository of the file is meant."""
        return not (self.repository or self.organisation)


@dataclass(frozen=True)
class Options:
    """What the options say; not every command has all."""

    token: str = field(repr=False)
    hub_address: str
    hub_token: str = field(repr=False)
    as_json: bool
    wait_seconds: float = WAIT_SECONDS
    is_dry: bool = False


@dataclass(frozen=True)
class Asked:
    """What is to be done, where, and with what."""

    config: "Config"
    places: "Sequence[Chosen]"
    means: "Means"
    as_json: bool
    is_all: bool

    @property
    def sources(self) -> list[str]:
        """The sources that are concerned, each once."""
        return list(dict.fromkeys(one.source for one in self.places))


def places(function: F) -> F:
    """REPOSITORY, `--org`, `--source`, `-c`, the tokens and `--json`, given as one `asked`."""

    @wraps(function)
    @click.pass_context
    def with_asked(ctx: click.Context, /, **given: Any) -> Any:
        words = Words(
            given.pop("repository"),
            given.pop("organisation"),
            given.pop("source"),
            given.pop("config_file"),
            _is_given(ctx, "config_file"),
        )
        ours = [one.name for one in fields(Options)]
        chosen = Options(**{name: given.pop(name) for name in ours if name in given})
        asked = _asked(words, chosen)
        return function(asked=asked, **given)

    for option in (_AS_JSON, _HUB_TOKEN, _HUB, _TOKEN, options.config_file, _SOURCE, _ORGANISATION):
        with_asked = option(with_asked)
    return _REPOSITORY(with_asked)  # type: ignore[return-value]


def hub(function: F) -> F:
    """`--hub` and `--hub-token-file`, given as one Server named `hub`."""

    @wraps(function)
    def with_hub(*, hub_address: str, hub_token: str, **others: Any) -> Any:
        return function(hub=servers.hub_named(hub_address, hub_token), **others)

    return _HUB(_HUB_TOKEN(with_hub))  # type: ignore[return-value]


def changing(function: F) -> F:
    """`--dry-run`."""
    return click.option(
        "--dry-run", "is_dry", is_flag=True, help="Say what would be done, and change nothing."
    )(function)


def proving(function: F) -> F:
    """`--wait`."""
    return click.option(
        "--wait",
        "wait_seconds",
        type=click.FloatRange(0, _MOST_SECONDS),
        default=WAIT_SECONDS,
        show_default=True,
        help="Seconds in which a test must have come back through the hub.",
    )(function)


def _asked(words: Words, chosen: Options) -> Asked:
    from directcd.config import load
    from directcd.hooks.choosing import hub_of
    from directcd.hooks.working import Means

    config = load(words.file)
    hub = hub_of(config)
    found = _places(config, words)
    forge_token = chosen.token or _token_of_the_environment(words, found)
    if forge_token:
        _for_one_forge(found)
    address, hub_token = _hub(words, config, chosen)
    means = Means(hub, address, hub_token, forge_token, chosen.wait_seconds, chosen.is_dry)
    return Asked(config, found, means, chosen.as_json, words.is_all)


def _places(config: "Config", words: Words) -> "list[Chosen]":
    from directcd.hooks import choosing

    hub = choosing.hub_of(config)
    if words.repository and words.organisation:
        raise click.UsageError("name a REPOSITORY or an --org")
    if words.organisation:
        return [choosing.of_organisation(hub, words.organisation, words.source)]
    if words.repository:
        return [choosing.of_repository(hub, words.repository, words.source)]
    found, left = choosing.of_targets(config, words.source)
    for reason in left:
        click.echo(colourless(f"left out: {reason}"), err=True)
    return found


def _hub(words: Words, config: "Config", chosen: Options) -> tuple[str, str]:
    """Where the hub is asked, and our token there."""
    from directcd.whom import hub_asked

    if chosen.hub_address:
        return chosen.hub_address, chosen.hub_token
    # A file that nobody named may be a stranger's: it may mean a hub of this machine alone.
    asked = hub_asked(config) if words.is_file_named else nearby.hub()
    return asked.address, chosen.hub_token or servers.token_in(asked)


def _token_of_the_environment(words: Words, found: "Sequence[Chosen]") -> str:
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        return ""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise click.UsageError(f"{TOKEN_VARIABLE} must hold one token and nothing else")
    _refuse_strangers(words, found)
    return token


def _refuse_strangers(words: Words, found: "Sequence[Chosen]") -> None:
    # The file may have been cloned a moment ago, and say that the token goes to its author.
    if words.is_file_named or "://" in words.repository or "@" in words.repository:
        return
    elsewhere = [url for one in found if (url := one.settings.api_url or one.settings.base_url)]
    if elsewhere:
        raise click.UsageError(
            f"{words.file} says that {TOKEN_VARIABLE} goes to {elsewhere[0]}: say -c {words.file}, "
            "if the file is yours"
        )


def _for_one_forge(found: "Sequence[Chosen]") -> None:
    from hub.forges.opening import web_url

    forges = sorted({web_url(one.settings) for one in found})
    if len(forges) > 1:
        raise click.UsageError(
            f"one token, and several forges ({', '.join(forges)}): name one by --source, or give "
            "each source its api_token_file"
        )


def _is_given(ctx: click.Context, name: str) -> bool:
    by = click.core.ParameterSource
    return ctx.get_parameter_source(name) in {by.COMMANDLINE, by.ENVIRONMENT}


_REPOSITORY = click.argument("repository", default="")
_ORGANISATION = click.option(
    "--org", "organisation", default="", metavar="NAME", help="An organisation, or GitLab group."
)
_SOURCE = click.option(
    "--source",
    default="",
    metavar="NAME",
    help="The source of directcd.toml. Default: the one whose forge has the repository.",
)
_TOKEN = click.option(
    "--token-file",
    "token",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=servers.read_token_option,
    envvar=f"{TOKEN_VARIABLE}_FILE",
    show_envvar=True,
    help=f"Holds the forge's token; {TOKEN_VARIABLE} may be the token itself. Default: api_token_"
    "file of the source.",
)
_HUB = click.option(
    "--hub",
    "hub_address",
    default="",
    callback=servers.checked_address,
    envvar="DIRECTCD_HUB_URL",
    show_envvar=True,
    help="The hub, to see what comes. Default: [hub] listen of the file.",
)
_HUB_TOKEN = click.option(
    "--hub-token-file",
    "hub_token",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=servers.read_token_option,
    envvar="DIRECTCD_TOKEN_FILE",
    show_envvar=True,
    help="Holds a token of the hub (scope read; for `recover` admin), when one is wanted.",
)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
