"""Mistakes in directcd.toml and in the environment, as findings: all of them at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from directcd import config, embedded
from directcd.config import Config
from directcd.doctor.findings import Finding, problem
from directcd.errors import ConfigError
from directcd.failures import mendable
from directcd.mistakes import is_within


@dataclass(frozen=True)
class Read:
    """
    What could be read of a file.

    Attributes:
        config: as much as is right; None when that is nothing.
        findings: what is wrong with the rest.
        wrong: its places, of which nothing else can be said.
    """

    config: Config | None
    findings: list[Finding]
    wrong: frozenset[str] = field(default=frozenset())

    def sure(self, findings: Sequence[Finding], prefix: str = "") -> list[Finding]:
        """
        Those that are not about what was wrong; before each place may stand a prefix.

        Nothing is mended by a file that may not say what was meant.
        """
        if not self.wrong:
            return list(findings)
        wrong = [prefix + where for where in self.wrong]
        sure = [one for one in findings if not any(is_within(one.where, where) for where in wrong)]
        return [replace(one, mend=None) for one in sure]


def read(file: Path) -> Read:
    """The configuration, as far as it can be read, and what keeps it from being used."""
    try:
        loaded, mistakes = config.load_rest(file)
    except ConfigError as error:
        return Read(None, [_mistake(line) for line in str(error).splitlines()])
    found = [_sentence(what, f"{file}:{where}") for where, what in mistakes.items()]
    if loaded:
        said = dict(_unfit(loaded))
        if not mistakes:
            said |= dict(_why_not(loaded, ""))
        found += [_sentence(what, f"{file}:{where}".rstrip(":")) for what, where in said.items()]
    return Read(loaded, found, frozenset(mistakes))


def _unfit(loaded: Config) -> Iterator[tuple[str, str]]:
    """What keeps each part from starting, and where it stands; they are tried one by one."""
    hub = loaded.hub
    for name, source in (hub.sources if hub else {}).items():
        alone = hub.model_copy(update={"sources": {name: source}}) if hub else None
        yield from _why_not(_only(loaded, hub=alone), f"hub.sources.{name}")
    for target in loaded.target:
        only = _only(loaded, target=(target,), server=loaded.server)
        yield from _why_not(only, f"target.{target.name}")


def _only(loaded: Config, **parts: object) -> Config:
    nothing: Mapping[str, object] = {"hub": None, "server": None, "target": (), "client": None}
    return loaded.model_copy(update={**nothing, **parts})


def _why_not(loaded: Config, where: str) -> Iterator[tuple[str, str]]:
    try:
        embedded.parts_of(loaded)
    except mendable() as error:
        key, colon, rest = str(error).partition(": ")
        is_key = colon and key.startswith(where)  # which says more exactly where
        yield (rest, key) if is_key and " " not in key else (str(error), where)


def _mistake(line: str) -> Finding:
    """A line of the error: `FILE: KEY: what is wrong`."""
    where, _, what = line.rpartition(": ") if line.count(": ") == 1 else line.partition(": ")
    key, colon, rest = what.partition(": ")
    if colon and " " not in key:
        where, what = f"{where}:{key}", rest
    return _sentence(what, where)


def _sentence(text: str, where: str) -> Finding:
    what, _, step = text.partition("; ")
    return problem(what, where, step or "correct it there, and ask again")
