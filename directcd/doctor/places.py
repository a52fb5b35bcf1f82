"""Where a configuration names files, secrets and addresses, with the keys they stand under."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from directcd.config import Config
from directcd.whom import server_of

T = TypeVar("T")


def secret_files(config: Config) -> Iterator[tuple[str, Path]]:
    """Every file that holds a secret."""
    sources = config.hub.sources if config.hub else {}
    for name, source in sources.items():
        yield from _numbered(f"hub.sources.{name}.secrets_files", source.secrets_files)
        if source.api_token_file:
            yield f"hub.sources.{name}.api_token_file", source.api_token_file
    for target in config.target:
        for number, one in enumerate(target.repositories):
            where = f"target.{target.name}.repositories[{number}]"
            yield from _given(f"{where}.password_file", one.password_file)
            yield from _given(f"{where}.ssh_key_file", one.ssh_key_file)
    for name, known in (config.hub.servers if config.hub else {}).items():
        yield from _given(f"hub.servers.{name}.token_file", known.token_file)
    if config.server:
        yield from _given("server.signing_key_file", config.server.signing_key_file)
        yield from _given("server.hub_token_file", config.server.hub_token_file)
    if config.client:
        yield from _given("client.token_file", config.client.token_file)
        yield from _given("client.hub_token_file", config.client.hub_token_file)


def public_files(config: Config) -> Iterator[tuple[str, Path]]:
    """Every other file that must be there."""
    if config.client:
        yield from _numbered("client.public_key_files", config.client.public_key_files)


def written_secrets(config: Config) -> Iterator[tuple[str, SecretStr]]:
    """Every secret that stands in the configuration itself."""
    if config.hub:
        for name, source in config.hub.sources.items():
            yield from _numbered(f"hub.sources.{name}.secrets", source.secrets)
        if "@" in config.hub.redis.get_secret_value():
            yield "hub.redis", config.hub.redis
    for target in config.target:
        for number, one in enumerate(target.repositories):
            if urlsplit(one.url.get_secret_value()).password:
                yield f"target.{target.name}.repositories[{number}].url", one.url


def data_directories(config: Config) -> Iterator[tuple[str, Path]]:
    """The data directories of the parts that run from this file."""
    server = server_of(config)
    if config.hub:
        yield "hub.data", config.hub.data
    if server:
        yield "server.data", server.data
    if config.client:
        yield "client.data", config.client.data


def listening(config: Config) -> Iterator[tuple[str, str]]:
    """The addresses on which hub and server listen."""
    server = server_of(config)
    if config.hub:
        yield "hub.listen", config.hub.listen
    if server:
        yield "server.listen", server.listen


def followed(config: Config) -> Iterator[tuple[str, str]]:
    """The hubs and servers that this file names elsewhere."""
    for name, known in (config.hub.servers if config.hub else {}).items():
        yield f"hub.servers.{name}.url", known.url
    if config.server and config.server.hub:
        yield "server.hub", config.server.hub
    if config.client:
        yield from _numbered("client.servers", config.client.servers)
        yield from _given("client.hub", config.client.hub or None)


def there(path: Path) -> Path:
    """The path, or the nearest directory above it that is there and may be seen."""
    ways = (path.absolute(), *path.absolute().parents)
    return next(way for way in ways if os.access(way, os.F_OK))


def _numbered(where: str, values: Sequence[T]) -> Iterator[tuple[str, T]]:
    return ((f"{where}[{number}]", value) for number, value in enumerate(values))


def _given(where: str, value: T | None) -> Iterator[tuple[str, T]]:
    if value is not None:
        yield where, value
