"""What `directcd init` writes: directcd.toml, and a secret of its own."""

from pathlib import Path

from directcd.errors import ConfigError
from directcd.hooks.secret_files import made
from directcd.init.writing import ROOM, SECRET

NAME = "directcd.toml"


def write(directory: Path, text: str, *, with_secret: bool, force: bool) -> None:
    """
    Write the configuration, and beside it the room with the secret.

    A secret that is there is kept: the forge may know it already.

    Raises:
        ConfigError: there is a configuration already, or it cannot be written.
    """
    file = directory / NAME
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already: keep it, or write over it with --force")
    try:
        _room(directory / ROOM)
        if with_secret:
            made(directory / SECRET)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}") from error


def _room(room: Path) -> None:
    room.mkdir(mode=0o700, exist_ok=True)
    (room / ".gitignore").write_text("*\n", encoding="ascii")
