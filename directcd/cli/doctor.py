"""`directcd doctor`."""

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options, servers
from directcd.exits import Exit
from directcd.terminal import counted, line

if TYPE_CHECKING:
    from directcd.doctor.findings import Finding

_ORDER = ("problem", "warning", "ok")
_INDENT = " " * 9


@click.command(name="doctor")
@options.config_file
@click.option("--fix", is_flag=True, help="Do what is safe: file modes, data directories.")
@servers.token_file
@servers.as_json
@click.option("-v", "--verbose", is_flag=True, help="Show what is as it should be, too.")
def command(config_file: Path, *, fix: bool, token: str, as_json: bool, verbose: bool) -> None:
    """
    Find what is wrong with a configuration, its machine, and what it reaches.

    Each finding has its next step. It may be called while hub, server and client run, and while
    they do not. Exits with 1 when there is a problem or a warning, else with 0.
    """
    from directcd.doctor.examining import examined
    from directcd.doctor.mending import mended

    logging.disable()  # what parts would say of their settings are findings
    findings, done = asyncio.run(examined(config_file, token)), list[str]()
    if fix:
        findings, done = mended(findings)
    findings.sort(key=lambda one: _ORDER.index(one.severity))
    wrong = [one for one in findings if one.severity != "ok"]
    if as_json:
        click.echo(json.dumps({"findings": [one.as_json() for one in findings], "fixed": done}))
    else:
        _tell(findings if verbose else wrong, done)
        click.echo(_summary(findings, verbose=verbose), err=True)
    sys.exit(Exit.FAILED if wrong else Exit.OK)


def _tell(findings: "Sequence[Finding]", done: Sequence[str]) -> None:
    for one in findings:
        click.echo("\n".join(_lines(one)))
    for does in done:
        click.echo(f"{'fixed':<9}" + line(does))


def _lines(finding: "Finding") -> list[str]:
    below = [finding.where, f"next: {finding.next}" if finding.next else ""]
    first = f"{finding.severity:<9}" + line(finding.what)
    return [first, *(_INDENT + line(text) for text in below if text)]


def _summary(findings: "Sequence[Finding]", *, verbose: bool) -> str:
    counts = {name: sum(one.severity == name for one in findings) for name in _ORDER}
    if not counts["problem"] + counts["warning"]:
        return f"nothing is wrong: {counted(counts['ok'], 'thing')} looked at"
    problems, warnings = (counted(counts[name], name) for name in ("problem", "warning"))
    said = f"{problems}, {warnings}, {counts['ok']} fine"
    return said if verbose else f"{said} (`directcd doctor -v` shows them)"
