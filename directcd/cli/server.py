"""`directcd server`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options

if TYPE_CHECKING:
    from directcd.logs import Format


@click.command(name="server")
@options.config_file
@options.logging
def command(config_file: Path, *, verbose: bool, log_format: "Format") -> None:
    """Pull and build the targets, and offer their versions."""
    from directcd import config, logs, parts, process

    logs.set_up(verbose=verbose, log_format=log_format)
    process.run(parts.server(config.load(config_file)))
