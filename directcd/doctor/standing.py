"""What can be said of a configuration without asking anybody: nothing is connected or started."""

from dataclasses import replace
from pathlib import Path

from directcd.config import Config
from directcd.doctor import addresses, files, strength, tools
from directcd.doctor.findings import Finding


def standing(config: Config, file: Path) -> list[Finding]:
    """The findings of every check that needs no network."""
    found = [*files.check(config, file), *addresses.check(config), *strength.check(config)]
    found += tools.bubblewrap(config)
    return placed(found, file)


def placed(findings: list[Finding], file: Path) -> list[Finding]:
    """The same, with the file before every key."""
    return [replace(one, where=f"{file}:{one.where}") if one.where else one for one in findings]
