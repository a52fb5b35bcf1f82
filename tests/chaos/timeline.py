"""What was done to whom, and when: to be read beside the hubs' own logs when a check fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BEFORE_SECONDS, AFTER_SECONDS = 3.0, 1.0


@dataclass
class Fault:
    """One fault: `scope` is `hub` or `redis`; it has not ended yet when `ended` is infinite."""

    number: int
    scope: str
    what: str
    began: float
    ended: float = float("inf")

    def __str__(self) -> str:
        return f"#{self.number} {self.what} [{self.began:.2f}..{self.ended:.2f}]"


class Timeline:
    """Notes in a file, and the faults among them in memory. Times are of the monotonic clock."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: list[Fault] = []
        file.write_text("")

    def note(self, what: str) -> None:
        """Write a line."""
        with self.file.open("a") as file:
            file.write(f"{time.monotonic():.3f} {what}\n")

    @contextmanager
    def fault(self, scope: str, what: str) -> Iterator[None]:
        """A fault from here to the end of the block."""
        fault = Fault(len(self.faults) + 1, scope, what, time.monotonic())
        self.faults.append(fault)
        self.note(f"fault #{fault.number} begins: {what}")
        try:
            yield
        finally:
            fault.ended = time.monotonic()
            self.note(f"fault #{fault.number} ends: {what}")

    def between(self, began: float, ended: float, scope: str = "") -> list[Fault]:
        """The faults that touch a span."""
        return [
            fault
            for fault in self.faults
            if fault.began <= ended and fault.ended >= began and scope in {fault.scope, ""}
        ]

    def around(self, began: float, ended: float) -> str:
        """The faults that may have to do with something, for people."""
        faults = self.between(began - BEFORE_SECONDS, ended + AFTER_SECONDS)
        return "".join(f"\n      {fault}" for fault in faults) or " no faults"
