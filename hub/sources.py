"""Sources: who may post deliveries, which secrets prove it, and how repositories are named."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from adapters import Repository, UnknownProvider, repository_keys
from adapters.registry import find as find_adapter
from hub.aliases import HostAlias
from hub.secrets import Secret, SecretFile, SecretFileError, previous_of
from hub.settings import SourceSettings

logger = logging.getLogger(__name__)


class Source:
    """One configured webhook endpoint: provider, secrets, repositories."""

    def __init__(self, name: str, settings: SourceSettings) -> None:
        """
        Args:
            name: the last part of its URL.
            settings: validated.

        Raises:
            UnknownProvider: no adapter of the provider's name is installed.
        """
        self.name = name
        self.provider = settings.provider
        self.adapter = find_adapter(settings.provider)
        self.insecure = settings.insecure
        self._values = tuple(
            Secret(f"secrets[{index}]", secret.get_secret_value().encode())
            for index, secret in enumerate(settings.secrets)
        )
        self._files = tuple(map(SecretFile, settings.secrets_files))
        self._previous = tuple(SecretFile(previous_of(path)) for path in settings.secrets_files)
        self._troubles: dict[str, str] = {}
        self._aliases = tuple(HostAlias(*names) for names in settings.host_aliases.items())
        self._base_url = settings.base_url
        self._repositories = tuple(pattern.lower() for pattern in settings.repositories)

    @property
    def places(self) -> tuple[str, ...]:
        """Where its secrets are written, the current one first."""
        values = tuple(secret.place for secret in self._values)
        return values + tuple(file.place for file in self._present())

    def secrets(self) -> tuple[Secret, ...]:
        """
        Every secret that verifies a delivery now, the current one first.

        A file that cannot be read does not keep the other secrets from verifying.

        Raises:
            SecretFileError: there is no other secret.
        """
        if not self._files:
            return self._values
        readable = self.readable()
        if not readable:
            raise SecretFileError("; ".join(self._troubles.values()))
        return readable

    def readable(self) -> tuple[Secret, ...]:
        """Those of its secrets that can be read; a change of that is logged."""
        return (*self._values, *filter(None, map(self._read, self._present())))

    @property
    def in_trouble(self) -> bool:
        """Could any of its secrets not be read, the last time it was looked at?"""
        return bool(self._troubles)

    def _present(self) -> Iterator[SecretFile]:
        """Every configured file, and behind it the secret before it, while there is one."""
        for file, previous in zip(self._files, self._previous, strict=True):
            yield file
            if previous.is_there():
                yield previous
            else:
                self._troubles.pop(previous.place, None)

    def _read(self, file: SecretFile) -> Secret | None:
        try:
            secret = file.read()
        except SecretFileError as error:
            if file.is_there() or file in self._files:  # else it was removed just now
                self._note(file.place, str(error))
            return None
        self._note(file.place, "")
        return secret

    def _note(self, place: str, trouble: str) -> None:
        # Once a change, not once a delivery: strangers decide how many of those there are.
        if trouble == self._troubles.get(place, ""):
            return
        keys = {"source": self.name, "place": place}
        if trouble:
            self._troubles[place] = trouble
            logger.error("secret not readable", extra={**keys, "detail": trouble})
        else:
            self._troubles.pop(place, None)
            logger.info("secret readable again", extra=keys)

    def named(self, repository: Repository) -> Repository:
        """The repository with every key that subscribers of this source know it by."""
        if not repository.keys and self._base_url and repository.full_name:
            keys = repository_keys(f"{self._base_url}/{repository.full_name}")
            repository = replace(repository, keys=keys)
        for alias in self._aliases:
            repository = alias.applied(repository)
        return repository

    def spoken_for(self, keys: frozenset[str]) -> frozenset[str]:
        """
        Those of a repository's keys that a delivery may use here.

        A payload's URLs need not agree with each other: one that is allowed must not carry another
        that is not.
        """
        if not self._repositories:
            return keys
        return frozenset(
            key for key in keys if any(fnmatchcase(key, pattern) for pattern in self._repositories)
        )


def build_sources(settings: Mapping[str, SourceSettings]) -> list[Source]:
    """
    Every configured source.

    Raises:
        UnknownProvider: a source names a provider that no adapter speaks.
    """
    return [_build(name, source) for name, source in settings.items()]


def _build(name: str, settings: SourceSettings) -> Source:
    try:
        source = Source(name, settings)
    except UnknownProvider as error:
        detail = f"hub.sources.{name}.provider: {error.detail}"
        raise UnknownProvider(detail, next_step=error.next_step) from error
    source.readable()  # what is missing is said at the start, not at the first delivery
    if source.insecure:
        logger.warning("source takes unsigned deliveries", extra={"source": name})
    return source
