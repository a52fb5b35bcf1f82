"""
Stops a process and all that comes of it at every change to one directory, by seccomp and ptrace.

This is what strace's fault injection does, but strace counts for each thread by itself and cannot
tell one file from another; here the N-th change is one and the same in every run.
See https://man7.org/linux/man-pages/man2/ptrace.2.html
"""

import contextlib
import ctypes
import errno
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from tests.chaos.delivery.syscalls import CALLS, Call, path_of, seccomp_filter

_TRACEME, _POKEUSER, _CONT, _SETOPTIONS, _SYSCALL_INFO = 0, 6, 7, 0x4200, 0x420E
_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP = 1, 2, 3, 4, 7
_OPTIONS = (
    sum(1 << event for event in (_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP)) | 1 << 20
)  # EXITKILL
_ORIGINAL_RAX, _RAX = 8 * 15, 8 * 10
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_WAIT_ALL = 0x40000000  # __WALL: threads too

LONGEST_WAIT_SECONDS = 0.1
"""Between two looks at a deadline, while nothing happens."""

_libc = ctypes.CDLL(None, use_errno=True)

Who = Literal["main", "git", "other"]


@dataclass(frozen=True)
class Point:
    """One change to the directory: the `number`-th, by whom, which call, about what."""

    number: int
    who: Who
    call: str
    path: str
    needs_space: bool
    tid: int


Fault = Callable[["Tracer", Point], int]
"""Called at every point before the call is made: 0 lets it happen, an errno refuses it."""


@dataclass
class Tracer:
    """
    One traced life and what came of it.

    Attributes:
        root: The directory whose changes are counted.
        fault: What happens at a point.
        pid: The life's first process.
        points: The changes so far.
    """

    root: Path
    fault: Fault
    pid: int = 0
    points: list[Point] = field(default_factory=list)
    _known: set[int] = field(default_factory=set)
    _ended: dict[int, int] = field(default_factory=dict)

    def start(self, life: Callable[[], int]) -> None:
        """Fork a life, and trace it and its children from its first call on."""
        self.pid = forked(lambda: _traced(life))
        os.waitpid(self.pid, 0)
        _ptrace(_SETOPTIONS, self.pid, _OPTIONS)
        _ptrace(_CONT, self.pid, 0)
        self._known.add(self.pid)

    def wait(self, pid: int, seconds: float) -> int | None:
        """
        Trace on until a child of this process has ended; its status, None when it is stuck.

        Orphans of a killed life go on meanwhile, as they would without anybody who looks.
        """
        deadline = time.monotonic() + seconds
        while pid not in self._ended:
            if time.monotonic() > deadline:
                return None
            if not self._next():
                signal.sigtimedwait({signal.SIGCHLD}, LONGEST_WAIT_SECONDS)
        return self._ended[pid]

    def kill(self, *pids: int) -> None:
        """SIGKILL."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def alive(self) -> set[int]:
        """Every traced thread."""
        return set(self._known)

    def _next(self) -> bool:
        """Handle what one thread waits with, if any does."""
        tid, status = os.waitpid(-1, _WAIT_ALL | os.WNOHANG)
        if tid and os.WIFSTOPPED(status):
            _ptrace(_CONT, tid, self._stopped(tid, os.WSTOPSIG(status), status >> 16))
        elif tid:
            self._ended[tid] = os.waitstatus_to_exitcode(status)
            self._known.discard(tid)
        return bool(tid)

    def _stopped(self, tid: int, number: int, event: int) -> int:
        """What to do at a stop; the signal to go on with."""
        if event == _SECCOMP:
            self._asks(tid)
        if event or number == signal.SIGTRAP:
            return 0
        if tid in self._known:
            return number
        self._known.add(tid)  # its first stop is ptrace's own
        return 0

    def _asks(self, tid: int) -> None:
        with contextlib.suppress(OSError):  # it was killed meanwhile
            number, arguments = _asked(tid)
            call = CALLS[number]
            path = path_of(tid, call, arguments)
            if not Path(path).is_relative_to(self.root):
                return
            point = self._point(tid, call, path)
            self.points.append(point)
            if refused := self.fault(self, point):
                _ptrace(_POKEUSER, tid, -1, _ORIGINAL_RAX)
                _ptrace(_POKEUSER, tid, -refused, _RAX)

    def _point(self, tid: int, call: Call, path: str) -> Point:
        shown = str(Path(path).relative_to(self.root))
        who = _who(tid, self.pid)
        needs_space = call.needs_space and not (call.makes and os.path.lexists(path))
        return Point(len(self.points) + 1, who, call.name, shown, needs_space, tid)


def forked(life: Callable[[], int]) -> int:
    """Fork a process that lives one life and ends with its status; its pid."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # told by `sigtimedwait`
    pid = os.fork()
    if not pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        _lived(life)
    return pid


def _lived(life: Callable[[], int]) -> NoReturn:
    status = 70
    try:
        status = life()
    except BaseException as error:  # noqa: BLE001 -- a forked process must not go on as its parent
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _traced(life: Callable[[], int]) -> int:
    _ptrace(_TRACEME, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    code = ctypes.create_string_buffer(seccomp_filter())
    size = len(code) // 8
    program = ctypes.create_string_buffer(struct.pack("@HP", size, ctypes.addressof(code)))
    for option, *values in ((_NO_NEW_PRIVILEGES, 1, 0), (_SET_SECCOMP, _FILTER, program)):
        if _libc.prctl(option, *values, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    return life()


def is_possible() -> bool:
    """Whether this machine lets a process be traced so."""
    if os.uname().machine != "x86_64":
        return False
    tracer = Tracer(Path("/nowhere"), lambda _tracer, _point: 0)
    try:
        tracer.start(lambda: 0)
        return tracer.wait(tracer.pid, 10.0) == 0
    except OSError:
        return False


def _ptrace(request: int, tid: int, data: int, address: int = 0) -> None:
    """Ask for something; a thread that was killed meanwhile is none any more."""
    arguments = (ctypes.c_long(value) for value in (request, tid, address, data))
    if _libc.ptrace(*arguments) == -1 and ctypes.get_errno() != errno.ESRCH:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def _asked(tid: int) -> tuple[int, tuple[int, ...]]:
    """Number and arguments of the call at which a thread stands."""
    info = ctypes.create_string_buffer(88)
    arguments = (_SYSCALL_INFO, tid, len(info), ctypes.addressof(info))
    if _libc.ptrace(*(ctypes.c_long(value) for value in arguments)) == -1:
        raise OSError(ctypes.get_errno(), "ptrace: no information about the call")
    number, *values = struct.unpack_from("<7Q", info.raw, 24)
    return number, tuple(values)


def _who(tid: int, server: int) -> Who:
    there = Path(f"/proc/{tid}")
    if f"\nTgid:\t{server}\n" in (there / "status").read_text():
        return "main"
    return "git" if (there / "comm").read_text().startswith("git") else "other"
