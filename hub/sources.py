"""Sources: who may post deliveries, and which secrets prove it."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from hub.settings import SourceSettings


class SecretFileError(Exception):
    """A secret file cannot be read, or is empty."""


class SecretFile:
    """A secret in a file, read again when the file changes: rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._secret = b""

    def read(self) -> bytes:
        """
        The file's content without surrounding white space.

        Raises:
            SecretFileError: the file is missing, unreadable or empty.
        """
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp != self._seen:
                self._secret = self._path.read_bytes().strip()
                self._seen = stamp
        except OSError as error:
            raise SecretFileError(f"secret file {self._path}: {error.strerror}") from error
        if not self._secret:
            raise SecretFileError(f"secret file {self._path} is empty")
        return self._secret


class Source:
    """One configured webhook endpoint: provider, secrets, allowed repositories."""

    def __init__(self, name: str, settings: SourceSettings) -> None:
        self.name = name
        self.provider = settings.provider
        self.insecure = settings.insecure
        self._values = tuple(secret.get_secret_value().encode() for secret in settings.secrets)
        self._files = tuple(SecretFile(path) for path in settings.secrets_files)
        self._repositories = tuple(pattern.lower() for pattern in settings.repositories)

    def secrets(self) -> tuple[bytes, ...]:
        """
        Every secret that verifies a delivery now.

        Raises:
            SecretFileError: a secret file cannot be read.
        """
        return self._values + tuple(file.read() for file in self._files)

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
    """Every configured source."""
    return [Source(name, source) for name, source in settings.items()]
