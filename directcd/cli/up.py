"""`directcd up`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options

if TYPE_CHECKING:
    from directcd.logs import Format


@click.command(name="up")
@options.config_file
@options.logging
def command(config_file: Path, *, verbose: bool, log_format: "Format") -> None:
    """Run the hub, the server and the client of one directcd.toml in one process."""
    import os

    from directcd import config, embedded, logs, process
    from directcd.systemd.activation import passed_in, served_there

    logs.set_up(verbose=verbose, log_format=log_format)
    settings = config.load(config_file)
    passed = passed_in(os.environ, embedded.listening_parts(settings))
    process.run(*embedded.parts_of(served_there(settings, passed), passed))
