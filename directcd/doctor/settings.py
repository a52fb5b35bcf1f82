"""Mistakes in directcd.toml and in the environment, as findings: all of them at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cd4sources.targets import Target, TargetError
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
        found += [_sentence(what, f"{file}:{where}") for what, where in _unfit(loaded)]
    return Read(loaded, found, frozenset(mistakes))


def unstartable(known: Read, found: Sequence[Finding], file: Path) -> list[Finding]:
    """What else keeps the parts from starting, where nothing that was found does."""
    is_known = any(one.severity == "problem" for one in (*known.findings, *found))
    if is_known or known.config is None:
        return []
    return [_sentence(what, str(file)) for what, _ in _why_not(known.config, "")]


def _unfit(loaded: Config) -> Iterator[tuple[str, str]]:
    """What is wrong with sources and targets, and where; each is tried alone."""
    hub = loaded.hub
    for name, source in (hub.sources if hub else {}).items():
        alone = hub.model_copy(update={"sources": {name: source}}) if hub else None
        only = loaded.model_copy(
            update={"hub": alone, "server": None, "target": (), "client": None}
        )
        yield from _why_not(only, f"hub.sources.{name}")
    for target in loaded.target:
        try:
            Target.from_settings(target)
        except TargetError as error:
            yield str(error), f"target.{target.name}"


def _why_not(loaded: Config, where: str) -> Iterator[tuple[str, str]]:
    try:
        embedded.parts_of(loaded)
    except mendable() as error:
        key, colon, rest = str(error).partition(": ")
        is_key = colon and where and key.startswith(where)  # which says more exactly where
        yield (rest, key) if is_key and " " not in key else (str(error), where)


def _mistake(line: str) -> Finding:
    """A line of the error: `FILE: KEY: what is wrong`."""
    where, _, what = line.rpartition(": ") if line.count(": ") == 1 else line.partition(": ")
    key, colon, rest = what.partition(": ")
    if colon and " " not in key:
        where, what = f"{where}:{key}", rest
    return _sentence(what, where)


def _sentence(text: str, where: str) -> Finding:
    # Adapters say two sentences with full stops, all others one.
    what, _, step = text.removesuffix(".").partition(". " if text.endswith(".") else "; ")
    return problem(what, where, step or "correct it there, and ask again")
