"""`directcd config`."""

import json
import logging
import sys
from pathlib import Path

import click

from directcd.cli import options
from directcd.exits import Exit
from directcd.terminal import line


@click.group(name="config")
def command() -> None:
    """Check directcd.toml without starting anything, or print its schema."""


@command.command()
@options.config_file
def check(config_file: Path) -> None:
    """
    Say whether the configuration is valid, and which parts it holds.

    Nothing is connected; `directcd doctor` asks whoever is named in it, too.
    """
    from directcd.doctor.settings import read, unstartable
    from directcd.doctor.standing import standing

    logging.disable()  # what parts would say of their settings are findings
    known = read(config_file)
    loaded = known.config
    found = known.sure(standing(loaded, config_file), f"{config_file}:") if loaded else []
    found += unstartable(known, found, config_file)
    findings = [one for one in known.findings + found if one.severity != "ok"]
    for one in findings:
        click.echo(line(f"{one.severity}: {one.where}: {one.what}; {one.next}"), err=True)
    if loaded is None or any(one.severity == "problem" for one in findings):
        sys.exit(Exit.USAGE)
    names = [name for name in type(loaded).model_fields if getattr(loaded, name)]
    click.echo(f"{config_file}: valid ({', '.join(names)})", err=True)


@command.command()
def schema() -> None:
    """
    Print the JSON Schema of directcd.toml, for editors.

    directcd config schema > directcd.schema.json

    With `#:schema ./directcd.schema.json` as the file's first line, editors that use Taplo complete
    and check it, and show what each setting means.
    """
    from directcd.schema import schema as document

    click.echo(json.dumps(document(), indent=2))
