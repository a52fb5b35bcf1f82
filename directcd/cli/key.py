"""`directcd key new`."""

import json
import os
from pathlib import Path

import click

from directcd.cli import servers


@click.group(name="key")
def command() -> None:
    """Make keys that sign artifacts."""


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File for the private key; it must not exist.",
)
@servers.as_json
def new(*, out: Path, as_json: bool) -> None:
    """
    Make an Ed25519 key: the private half into a file, the public half printed.

    The file is what the server's `signing_key_file` names; the line goes to the clients.
    """
    from cd4sources.signing import new_private_key, private_pem, public_line

    key = new_private_key()
    try:
        _write(out, private_pem(key))
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from error
    line = public_line(key)
    click.echo(json.dumps({"public_key": line, "file": str(out)}) if as_json else line)


def _write(file: Path, text: bytes) -> None:
    """Nobody else may read it, not even for the moment before a chmod."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as writer:
        writer.write(text)
