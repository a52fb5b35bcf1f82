"""The server's side of a nanny: how it is started, told to end everything, and what it reports."""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from cd4sources.confinement import Confinement

_FILE = Path(__file__).with_name("nanny.py")
_REPORT_BYTES = 64


class Nanny:
    """One nanny's control socket; close it in any case, which ends the command, too."""

    def __init__(self, argv: Sequence[str], confinement: Confinement) -> None:
        """
        Make the socket; nothing is started yet.

        Args:
            argv: Program and arguments that it will run.
            confinement: How it will hold them.
        """
        self._argv = argv
        self._confinement = confinement
        self._ours, self._theirs = socket.socketpair()
        self._ours.settimeout(0)

    @property
    def descriptor(self) -> int:
        """The end that the nanny inherits."""
        return self._theirs.fileno()

    @property
    def command(self) -> tuple[str, ...]:
        """The command that runs the other one under the nanny."""
        user = self._confinement.user
        identity = f"{user.uid}:{user.gid}" if user else ""
        limits = ",".join(f"{name}={most}" for name, most in self._confinement.limits)
        python = (sys.executable, "-I", "-S", str(_FILE))
        return (*python, str(self.descriptor), identity, limits, *self._argv)

    def started(self) -> None:
        """Close the nanny's end here, so that its end is seen."""
        self._theirs.close()

    def end(self) -> None:
        """Have everything killed at once."""
        self._ours.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of it."""
        self._theirs.close()
        self._ours.close()

    def status(self) -> int | None:
        """
        How the command ended, once the nanny has; None when the nanny itself was killed.

        Raises:
            OSError: The command could not be started.
        """
        try:
            kind, _, number = self._ours.recv(_REPORT_BYTES).decode().partition(" ")
        except (BlockingIOError, ConnectionResetError):
            return None
        if kind == "errno":
            raise OSError(int(number), os.strerror(int(number)), self._argv[0])
        return int(number) if kind else None
