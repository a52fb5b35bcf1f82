"""What the webhooks of a source sign with: as the hub reads it, made where it is missing."""

from pathlib import Path

from directcd.errors import ConfigError
from directcd.hooks import secret_files
from hub.secrets import SecretFile
from hub.settings import SourceSettings


def file_of(settings: SourceSettings) -> Path | None:
    """The file that holds a source's current secret; None when that stands elsewhere."""
    return settings.secrets_files[0] if settings.secrets_files and not settings.secrets else None


def is_missing(settings: SourceSettings) -> bool:
    """Whether the current secret is still to be made."""
    file = file_of(settings)
    return file is not None and not file.exists()


def current(settings: SourceSettings) -> str:
    """
    The current secret; "" for a source that takes unsigned deliveries.

    Raises:
        SecretFileError: its file is missing, unreadable or empty.
        ConfigError: it is no text, and so cannot be given to a forge.
    """
    if settings.secrets:
        return settings.secrets[0].get_secret_value()
    file = file_of(settings)
    return read(file) if file else ""


def read(file: Path) -> str:
    """The secret in a file; errors as for `current`."""
    try:
        return SecretFile(file).read().value.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{file} holds no text, and so no secret for a forge") from None


def ensured(settings: SourceSettings) -> Path | None:
    """
    Make the file of the current secret if there is none; which one was made.

    Raises:
        ConfigError: it cannot be made.
    """
    file = file_of(settings)
    return file if file and secret_files.made(file) else None
