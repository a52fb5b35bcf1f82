"""`directcd client`."""

from pathlib import Path

import click

from directcd.cli import options


@click.command(name="client")
@options.config_file
@options.verbose
def command(config_file: Path, *, verbose: bool) -> None:
    """Watch, download and run one program, replacing it when a new version is offered."""
    from directcd import config, logs, parts, process
    from directcd.standalone import standalone

    logs.set_up(verbose=verbose)
    process.run(standalone(parts.make_client(config.load(config_file))))
