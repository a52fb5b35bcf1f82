"""A terminal: one shell, in which command after command is typed."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.waiting import DEADLINE_SECONDS, PAUSE_SECONDS


class Terminal:
    """
    A real `sh`, which keeps its directory, variables and background processes between commands.

    Args:
        room: an empty directory for its scripts and outputs.
        home: where it starts.
        environment: all that it knows.
    """

    def __init__(self, room: Path, home: Path, environment: Mapping[str, str]) -> None:
        room.mkdir()
        self._room = room
        self._count = 0
        self._shell = subprocess.Popen(
            ["sh"],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, commands: str, exits: int = 0) -> str:
        """What commands print; fails when one of them ends with another code."""
        fails = "+" if exits else "-"
        self._type(commands, f"set {fails}e; %s; echo $?\n")
        assert self._shell.stdout is not None
        code = self._shell.stdout.readline().strip() or f"code {self._shell.wait()}"
        assert code == str(exits), f"{commands}ended with {code}: {self.output}"
        return self.output

    def start(self, commands: str) -> None:
        """Begin commands that do not end; `output` has what they have printed so far."""
        self._type(commands, "%s\n")

    @property
    def output(self) -> str:
        """What the last commands have printed."""
        return self._file("out").read_text() if self._file("out").exists() else ""

    def close(self) -> None:
        """End whatever was started here: gently, and then not."""
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if self._signalled(ending):
                self._wait()
        self._shell.communicate()

    def _type(self, commands: str, line: str) -> None:
        self._count += 1
        self._file("sh").write_text(commands)
        sourced = f". {self._file('sh')} </dev/null >{self._file('out')} 2>&1"
        assert self._shell.stdin is not None
        self._shell.stdin.write(line % sourced)
        self._shell.stdin.flush()

    def _file(self, suffix: str) -> Path:
        return self._room / f"{self._count}.{suffix}"

    def _signalled(self, number: int) -> bool:
        try:
            os.killpg(self._shell.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _wait(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline and self._signalled(0):
            self._shell.poll()
            time.sleep(PAUSE_SECONDS)
