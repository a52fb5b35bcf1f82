"""Which webhooks are meant: a person's words and directcd.toml become sources and places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from adapters import repository_keys
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.hooks import lacking
from hub.forges.addresses import ForgeAddress, addresses_of
from hub.forges.values import Place
from hub.settings import HubSettings, SourceSettings
from hub.sources import Source

_LOCAL = ("/", "./", "../", "file:")
_PATH = re.compile(r"[\w.~-]+(/[\w.~-]+)+")


@dataclass(frozen=True)
class Chosen:
    """
    A place at the forge of a source.

    Attributes:
        source: its name.
        settings: the source's.
        place: a repository or an organisation of the forge.
        url: what a webhook there calls.
    """

    source: str
    settings: SourceSettings = field(repr=False)
    place: Place
    url: str

    def is_told_of(self, key: str) -> bool:
        """Whether a delivery about the repository of a key comes from a webhook of this place."""
        name = self.place.name.lower()
        return f"/{name}/" in key if self.place.is_organisation else key.endswith(f"/{name}")

    def is_known_by(self, key: str) -> bool:
        """Whether this source calls its forge by the name that stands in a key."""
        return bool(ForgeAddress(self.settings).path_of(frozenset({key})))


def webhook_url(hub: HubSettings, source: str) -> str:
    """
    Where the deliveries of a source go.

    Raises:
        ConfigError: nobody has said how forges reach the hub.
    """
    if not hub.public_url:
        raise ConfigError(lacking.public_url(hub.listen))
    return f"{hub.public_url}/webhooks/{hub.sources[source].provider}/{source}"


def hub_of(config: Config) -> HubSettings:
    """
    The settings of the hub, with at least one source.

    Raises:
        ConfigError: there is none in the file.
    """
    if config.hub is None or not config.hub.sources:
        raise ConfigError(lacking.hub())
    return config.hub


def of_repository(hub: HubSettings, words: str, source: str = "") -> Chosen:
    """
    The place of a repository.

    Args:
        hub: settings.
        words: any spelling of its URL, or its path at the forge.
        source: its source; "" for the one whose forge has the URL's host.

    Raises:
        ConfigError: no source, or more than one, is it.
    """
    names = [known(hub, source)] if source else list(hub.sources)
    addresses = addresses_of(hub.sources)
    at = {name: path for name in names if (path := _path_at(addresses[name], words))}
    if not at and _is_path(words):
        at = {_only(names, words): words.strip("/").removesuffix(".git")}
    if not at:
        raise ConfigError(lacking.source(hub, words))
    keys = {name: addresses[name].keys_of(path.lower()) for name, path in at.items()}
    admitting = [name for name in at if _admits(name, hub.sources[name], keys[name])]
    if not admitting:
        name = next(iter(at))
        key = min(keys[name], default=at[name])
        raise ConfigError(lacking.admission(name, key))
    name = _only(admitting, words)
    return _chosen(hub, name, Place(at[name]))


def of_organisation(hub: HubSettings, name: str, source: str = "") -> Chosen:
    """
    The place of an organisation, or of a GitLab group.

    Raises:
        ConfigError: no source, or more than one, may be meant.
    """
    source = known(hub, source) if source else _only(list(hub.sources), name)
    return _chosen(hub, source, Place(name.strip("/"), is_organisation=True))


def of_targets(config: Config, source: str = "") -> tuple[list[Chosen], list[str]]:
    """
    The places of every target's repositories, each once; and what no source stands for.

    Raises:
        ConfigError: there is none.
    """
    hub = hub_of(config)
    if source:
        known(hub, source)
    found: dict[tuple[str, str], Chosen] = {}
    left: list[str] = []
    for url in _repositories(config):
        try:
            chosen = of_repository(hub, url, source)
        except ConfigError as error:
            left.append(str(error))
            continue
        found.setdefault((chosen.source, chosen.place.name.lower()), chosen)
    if not found:
        raise ConfigError("\n".join(left) or lacking.target())
    return list(found.values()), left


def _repositories(config: Config) -> Iterator[str]:
    for target in config.target:
        for one in target.repositories:
            url = one.url.get_secret_value()
            if not url.startswith(_LOCAL):  # no forge's webhook names those
                yield url


def _chosen(hub: HubSettings, name: str, place: Place) -> Chosen:
    return Chosen(name, hub.sources[name], place, webhook_url(hub, name))


def known(hub: HubSettings, source: str) -> str:
    """
    The name of a source that is there.

    Raises:
        ConfigError: it is not.
    """
    if source not in hub.sources:
        some = ", ".join(hub.sources)
        raise ConfigError(f"there is no source {source!r} in directcd.toml; it has {some}")
    return source


def _only(names: list[str], words: str) -> str:
    if len(names) != 1:
        some = ", ".join(names)
        raise ConfigError(f"{words} may belong to several sources: say --source, one of {some}")
    return names[0]


def _is_path(words: str) -> bool:
    """Whether words are a path at a forge, and not one that begins with a host."""
    is_one = bool(_PATH.fullmatch(words.strip("/")))
    return is_one and (words.strip("/").count("/") == 1 or not repository_keys(words))


def _path_at(address: ForgeAddress, words: str) -> str:
    """A repository's path at a forge; "" when it is elsewhere."""
    path = address.path_of(repository_keys(words))
    return _as_written(path, words) if path else ""


def _as_written(path: str, words: str) -> str:
    # Keys are in lower case, and not every forge's API reads a name in another case.
    start = words.lower().rfind(path)
    return words[start : start + len(path)] if start >= 0 else path


def _admits(name: str, settings: SourceSettings, keys: frozenset[str]) -> bool:
    return bool(Source(name, settings).spoken_for(keys)) if keys else True
