"""`directcd config`."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options, servers
from directcd.exits import Exit
from directcd.terminal import line

if TYPE_CHECKING:
    from directcd.config import Config
    from directcd.doctor.findings import Finding


@click.group(name="config")
def command() -> None:
    """Check directcd.toml without starting anything, or print its schema."""


@command.command()
@options.config_file
@servers.as_json
def check(config_file: Path, *, as_json: bool) -> None:
    """
    Say whether the configuration is valid, and which parts it holds.

    Nothing is connected; `directcd doctor` asks whoever is named in it, too. Exits with 2 when it
    is not valid.
    """
    logging.disable()  # what parts would say of their settings are findings
    loaded, findings = _looked_at(config_file)
    is_valid = loaded is not None and all(one.severity != "problem" for one in findings)
    parts = [name for name in type(loaded).model_fields if getattr(loaded, name)] if loaded else []
    if as_json:
        found = [one.as_json() for one in findings]
        click.echo(json.dumps({"valid": is_valid, "parts": parts, "findings": found}))
    else:
        for one in findings:
            click.echo(line(f"{one.severity}: {one.where}: {one.what}; {one.next}"), err=True)
        if is_valid:
            click.echo(f"{config_file}: valid ({', '.join(parts)})", err=True)
    sys.exit(Exit.OK if is_valid else Exit.USAGE)


def _looked_at(config_file: Path) -> "tuple[Config | None, list[Finding]]":
    """As much of it as can be read, and what should be otherwise."""
    from directcd.doctor.settings import read, unstartable
    from directcd.doctor.standing import standing

    known = read(config_file)
    loaded = known.config
    found = known.sure(standing(loaded, config_file), f"{config_file}:") if loaded else []
    found += unstartable(known, found, config_file)
    return loaded, [one for one in known.findings + found if one.severity != "ok"]


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
