"""`directcd client`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options

if TYPE_CHECKING:
    from directcd.logs import Format


@click.command(name="client")
@options.config_file
@options.logging
def command(config_file: Path, *, verbose: bool, log_format: "Format") -> None:
    """Watch, download and run one program, replacing it when a new version is offered."""
    from directcd import config, logs, parts, process
    from directcd.standalone import standalone

    logs.set_up(verbose=verbose, log_format=log_format)
    process.run(standalone(parts.make_client(config.load(config_file))))
