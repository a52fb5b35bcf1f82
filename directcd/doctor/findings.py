"""What a check has found: a value that says what, where, and what to do next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["problem", "warning", "ok"]
"""`problem`: something does not work. `warning`: it works, and should be otherwise."""


@dataclass(frozen=True)
class Mend:
    """Something safe that puts an end to a finding: in words, and as a step."""

    does: str
    step: Callable[[], None]


@dataclass(frozen=True)
class Finding:
    """
    One thing that was looked at.

    Attributes:
        severity: how bad it is.
        what: one sentence; never holds a secret.
        where: the key in directcd.toml, empty when it is the machine.
        next: what to do about it; empty when nothing is to be done.
        mend: what `--fix` does about it.
    """

    severity: Severity
    what: str
    where: str = ""
    next: str = ""
    mend: Mend | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, str]:
        """As commands print it for programs."""
        return {name: getattr(self, name) for name in ("severity", "what", "where", "next")}


def problem(what: str, where: str, step: str) -> Finding:
    """Something that does not work."""
    return Finding("problem", what, where, step)


def warning(what: str, where: str, step: str, mend: Mend | None = None) -> Finding:
    """Something that works, and should be otherwise."""
    return Finding("warning", what, where, step, mend)


def ok(what: str, where: str = "", mend: Mend | None = None) -> Finding:
    """Something that is as it should be."""
    return Finding("ok", what, where, mend=mend)
