"""Mistakes in directcd.toml and in the environment, as findings."""

from pathlib import Path

from directcd import config, embedded
from directcd.config import Config
from directcd.doctor.findings import Finding, problem
from directcd.errors import ConfigError
from directcd.failures import mendable


def read(file: Path) -> tuple[Config | None, list[Finding]]:
    """The configuration, as far as it can be read, and what keeps it from being used."""
    try:
        loaded = config.load(file)
    except ConfigError as error:
        return None, [_mistake(line) for line in str(error).splitlines()]
    try:
        embedded.parts_of(loaded)
    except mendable() as error:
        return loaded, [_sentence(str(error), str(file))]
    return loaded, []


def _mistake(line: str) -> Finding:
    """A line of the error: `FILE: KEY: what is wrong`."""
    where, _, what = line.rpartition(": ") if line.count(": ") == 1 else line.partition(": ")
    key, colon, rest = what.partition(": ")
    if colon and " " not in key:
        where, what = f"{where}:{key}", rest
    return _sentence(what, where)


def _sentence(text: str, where: str) -> Finding:
    what, _, step = text.partition("; ")
    return problem(what, where, step or "correct it; `directcd config check` says when it is right")
