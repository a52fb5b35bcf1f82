"""
directcd.toml and DIRECTCD_ variables as validated values: the only reader of either.

Later wins: defaults, directcd.toml, environment (`DIRECTCD_HUB__LISTEN`, `__` nests), flags.
Unknown keys and unknown DIRECTCD_ variables are errors, and no error shows a value, for it may be a
secret.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from cd4sources.settings import ClientSettings, ServerSettings, TargetSettings
from directcd import mistakes
from directcd.errors import ConfigError
from hub.settings import HubSettings

PREFIX = "DIRECTCD_"
MOST_BYTES = 1024 * 1024
# Variables that are no settings: those that directcd sets for the programs it starts, of which one
# may be a directcd, and those that stand for a command's options.
OWN_VARIABLES = frozenset({"DIRECTCD_TREE", "DIRECTCD_OWNER", "DIRECTCD_VERSION", "DIRECTCD_COMMIT",
                           "DIRECTCD_REF", "DIRECTCD_CONFIG", "DIRECTCD_TOKEN_FILE",
                           "DIRECTCD_SERVER_URL", "DIRECTCD_HUB_URL",
                           "DIRECTCD_FORGE_TOKEN", "DIRECTCD_FORGE_TOKEN_FILE",
                           "DIRECTCD_LOG_FORMAT"})  # fmt: skip
OWN_PREFIX = "DIRECTCD_REPO_"


class Config(BaseSettings):
    """One directcd.toml: what is absent is not run by `directcd up`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    hub: HubSettings | None = None
    """Receives webhooks, remembers them, and tells those that follow."""

    server: ServerSettings | None = None
    """Fetches, builds and offers the targets."""

    target: tuple[TargetSettings, ...] = ()
    """What is delivered, in any number; the hub alone needs none."""

    client: ClientSettings | None = None
    """Downloads, starts and supervises the program of one target."""

    @field_validator("target")
    @classmethod
    def _named_once(cls, targets: tuple[TargetSettings, ...]) -> tuple[TargetSettings, ...]:
        names = [target.name for target in targets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two targets are called {', '.join(twice)}; give each its own name")
        return targets


def load(path: Path, flags: Mapping[str, Any] | None = None) -> Config:
    """
    The configuration in a file, overridden by the environment, and that by flags.

    Args:
        path: directcd.toml.
        flags: as in the file, tables as mappings.

    Raises:
        ConfigError: the file is unreadable, or something in it or in the environment is wrong.
    """
    document = _document(path)
    try:
        return _read(document, flags or {})
    except ValidationError:
        found = mistakes.find(Config, document, lambda rest: _read(rest, flags or {}))
        raise ConfigError("\n".join(mistakes.lines(path, found.mistakes))) from None


def load_rest(path: Path) -> tuple[Config | None, Mapping[str, str]]:
    """
    As much of a file as is right, and what is wrong with the rest, by its place.

    Raises:
        ConfigError: it is unreadable, or something in the environment is wrong.
    """
    found = mistakes.find(Config, _document(path), lambda rest: _read(rest, {}))
    return (found.model if isinstance(found.model, Config) else None), found.mistakes


def _read(document: dict[str, Any], flags: Mapping[str, Any]) -> Config:
    try:
        return _loader(document)(**flags)
    except SettingsError:
        # Its cause would show the value, and it names only the table.
        raise ConfigError(
            f"environment: {_no_json(os.environ)}: a list or table is written as JSON, "
            """such as '["new", "old"]'"""
        ) from None


def _document(path: Path) -> dict[str, Any]:
    document = _parsed(path)
    _refuse_unknown_variables(os.environ)
    return document


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except FileNotFoundError:
        step = "give one with -c FILE, or write one with `directcd init`"
        raise ConfigError(f"{path}: no such file; {step}") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _text(path: Path) -> str:
    # No more than that: a device may never end.
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{path}: larger than {MOST_BYTES // 1024} KiB: no configuration")
    return text.decode()


def _loader(document: dict[str, Any]) -> type[Config]:
    class Loaded(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, document)

    return Loaded


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    # pydantic-settings looks up the names it knows and never sees a mistyped one.
    known = tuple(f"{PREFIX}{name.upper()}" for name in Config.model_fields)
    for name in environment:
        ours = name in OWN_VARIABLES or name.startswith(OWN_PREFIX)
        if name.startswith(PREFIX) and not ours and name.partition("__")[0] not in known:
            raise ConfigError(
                f"environment variable {name}: unknown; nested settings are written "
                f"DIRECTCD_HUB__LISTEN, and the tables are {', '.join(Config.model_fields)}"
            )


def _no_json(environment: Mapping[str, str]) -> str:
    names = [name for name in environment if name.startswith(PREFIX) and name not in OWN_VARIABLES]
    wrong = [name for name in names if not _is_json(environment[name])]
    return " or ".join(wrong or names)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
