"""`directcd config check`."""

from pathlib import Path

import click

from directcd.cli import options


@click.group(name="config")
def command() -> None:
    """Check directcd.toml without starting anything."""


@command.command()
@options.config_file
def check(config_file: Path) -> None:
    """Say whether the configuration is valid, and which parts it holds."""
    from directcd import config, embedded

    loaded = config.load(config_file)
    embedded.parts_of(loaded)
    names = [name for name in type(loaded).model_fields if getattr(loaded, name)]
    click.echo(f"{config_file}: valid ({', '.join(names)})", err=True)
