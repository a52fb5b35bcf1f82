"""The server's side of a nanny: how it is started, what it is told to run, and how it is ended."""

import asyncio
import contextlib
import marshal
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cd4sources.running.confinement import Confinement
from cd4sources.running.processes import kill_tree, marked
from cd4sources.undisturbed import undisturbed

# Imported, not run as a file, so that it is compiled once; and tidying up takes long.
_PROGRAM = (
    "import os, sys; sys.path.append(sys.argv[1]); "
    "from cd4sources.running.nanny import main; os._exit(main(int(sys.argv[2])))"
)
_PACKAGES = Path(__file__).parents[2]
_REPORT_BYTES = 64
_SWEEP_SECONDS = 15.0  # a nanny gives up earlier, when something survives SIGKILL


@dataclass(frozen=True)
class Order:
    """One command for a nanny to run: program and arguments, where, and how it holds them."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    confinement: Confinement


class Nanny:
    """
    The nanny of one build, for its commands, one after the other; enter it to have it.

    It takes some milliseconds to start, in which it need not be waited for. When it has been left,
    or ended, neither it nor anything that it has started lives; it can be started again.
    """

    def __init__(self, owner: Path) -> None:
        """Start nothing yet; `owner` is the data directory."""
        self._owner = owner
        self._marker = secrets.token_hex(8)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start it, unless it is."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        await self.end()

    async def start(self) -> None:
        """
        Start it, unless it is; whoever does has to see that it ends.

        Raises:
            OSError: The system has no room for it.
        """
        if self._process:
            return
        self._control, theirs = socket.socketpair()
        self._control.settimeout(0)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _PROGRAM, _PACKAGES, str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                env=marked({}, self._marker, self._owner),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()

    async def carry_out(self, order: Order, stdout: int, stderr: int) -> int:
        """
        Have a command run, and wait until nothing that it has started lives.

        Args:
            order: What to run.
            stdout: The descriptor that it writes to.
            stderr: Likewise.

        Returns:
            Its exit status (negative: the signal that ended it, or its nanny).

        Raises:
            OSError: It cannot be started.
        """
        told = b""
        try:
            with contextlib.suppress(ConnectionError):  # the nanny was killed
                self._tell(order, stdout, stderr)
                told = await asyncio.get_running_loop().sock_recv(self._control, _REPORT_BYTES)
        finally:
            if not told:
                await self.end()
        kind, _, number = told.decode().partition(" ")
        if kind == "errno":
            raise OSError(int(number), os.strerror(int(number)), order.argv[0])
        return int(number or -signal.SIGKILL)

    async def end(self) -> None:
        """End it with all that runs, also while this task is being cancelled."""
        process, self._process = self._process, None
        if process is None:
            return
        self._control.close()
        await undisturbed(self._end(process))

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SWEEP_SECONDS):
                await process.wait()
        if process.returncode != 0:
            # It was killed itself, or could not kill everything: whoever has the marker.
            await kill_tree(self._marker, process.pid)
            await process.wait()

    def _tell(self, order: Order, stdout: int, stderr: int) -> None:
        held = order.confinement
        user = (held.user.uid, held.user.gid) if held.user else None
        env = marked(order.env, self._marker, self._owner)
        words = [os.fsencode(word) for word in order.argv]
        variables = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        # A file, because a socket takes only so much at once.
        with os.fdopen(os.memfd_create("order"), "wb") as file:
            marshal.dump((words, os.fsencode(order.cwd), variables, user, held.limits), file)
            file.flush()
            socket.send_fds(self._control, [b"\n"], [file.fileno(), stdout, stderr])
