"""
The process between the server and the commands of one build: nothing they start outlives them.

`nursing` starts it with every build, so it imports little. It is a child subreaper: whoever loses
its parent below it becomes its own child, also after setsid, a double fork and with an empty
environment. So "kill my descendants until I have no child left" is exact, and needs no privilege;
control groups would, and could do no more.
See https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html

It is told by a socket. A line on it brings three descriptors: what to run, its stdout, its stderr.
When nothing of it is left, how it ended is written back: `status 3`, `status -9` (a signal), or
`errno 2` (it could not be started). End of file means that the server is gone, however it died, or
has no more to run, or has cancelled; then the tree is killed at once. The exit status is 0 when no
process is left.
"""

# ctypes, signal and socket would take longer to import than all the rest of this program.
import _ctypes
import _signal as signal  # type: ignore[import-not-found]
import _socket as socket
import errno
import marshal
import os
import resource
import select
import sys
import time
import warnings  # noqa: F401 -- os.execvpe would import it, as a user who may not read it

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SWEEP_SECONDS = 10.0  # only a process in uninterruptible sleep outlives SIGKILL that long
_SWEEP_PAUSE_MILLISECONDS = 5
_CANNOT_START = 127
_INT_BYTES = 4
_LISTS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


class _Order:
    """One command: what to run, where, and how it is held."""

    def __init__(self, file: int, stdout: int, stderr: int) -> None:
        self.outputs = (stdout, stderr)
        with open(file, "rb") as told:
            told.seek(0)
            order = marshal.load(told)  # noqa: S302 -- the server's own words
        self.argv, self.cwd, self.env, self.user, self.limits = order


def main(control: int) -> int:
    """
    Carry out orders, one after the other.

    Args:
        control: The socket's descriptor.

    Returns:
        The exit status.
    """
    os.set_inheritable(control, False)
    _prctl(_PR_SET_CHILD_SUBREAPER)
    server, bell = socket.socket(fileno=control), _bell()
    ended = False
    while not ended and (order := _next_order(server, bell)):
        pid, error = _start(order)
        status = None if error else _status_of(pid, control, bell)
        if not _swept(bell):
            return 1  # the server is told nothing, and looks itself
        ended = status is None and not error
        said = f"errno {error}" if error else f"status {-signal.SIGKILL if ended else status}"
        try:
            server.send(said.encode())
        except OSError:
            break  # the server is gone
    return 0


def _next_order(server: socket.socket, bell: int) -> _Order | None:
    """The next command; None when there is none to come."""
    while True:
        called, signals = _awaited(server.fileno(), bell)
        if signal.SIGTERM in signals:
            return None
        if called:
            return _order_from(server)


def _order_from(server: socket.socket) -> _Order | None:
    room = socket.CMSG_SPACE(3 * _INT_BYTES)
    line, passed, _, _ = server.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
    if not line:
        return None
    numbers = passed[0][2]
    ends = range(0, len(numbers), _INT_BYTES)
    return _Order(*(int.from_bytes(numbers[at : at + _INT_BYTES], sys.byteorder) for at in ends))


def _prctl(option: int) -> None:
    function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
    if _ctypes.call_function(function, (option, 1, 0, 0, 0)):
        raise OSError(errno.EPERM, "prctl")


def _bell() -> int:
    """A descriptor from which the number of each child's end and of SIGTERM can be read."""
    listening, ringing = os.pipe()
    os.set_blocking(ringing, False)
    signal.set_wakeup_fd(ringing, warn_on_full_buffer=False)
    for one in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(one, lambda *_: None)
    return listening


def _start(order: _Order) -> tuple[int, int]:
    """The command's pid, and the error number when it could not be started."""
    told, telling = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if pid == 0:
        _become(order, telling)
    for descriptor in (telling, *order.outputs):
        os.close(descriptor)
    error = int(os.read(told, 16) or 0)
    os.close(told)
    return pid, error


def _become(order: _Order, telling: int) -> None:
    """Turn this forked process into the command, or end it."""
    try:
        os.setsid()
        for number, output in enumerate(order.outputs, start=1):
            os.dup2(output, number)
        # Python ignores these two, and what is ignored stays so across exec.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        _limit(order.limits)
        if order.user:
            _change_user(*order.user)
        os.chdir(order.cwd)
        os.execvpe(order.argv[0], order.argv, order.env)  # noqa: S606 -- no shell is the point
    except OSError as error:
        os.write(telling, str(error.errno).encode())
    finally:
        os._exit(_CANNOT_START)


def _limit(limits: tuple[tuple[str, int], ...]) -> None:
    """Soft and hard, as far as our own hard limit allows: `("NOFILE", 1024)`."""
    for name, value in limits:
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (most, most))


def _change_user(uid: int, gid: int) -> None:
    """For good: no setuid program leads back."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    _prctl(_PR_SET_NO_NEW_PRIVS)


def _status_of(pid: int, control: int, bell: int) -> int | None:
    """The command's exit status (negative: a signal); None when it is to be ended."""
    while True:
        called, signals = _awaited(control, bell)
        if called or signal.SIGTERM in signals:
            return None
        for ended, status in _reaped():
            if ended == pid:
                return os.waitstatus_to_exitcode(status)


def _awaited(control: int, bell: int) -> tuple[bool, bytes]:
    """Wait until the server says something, or a signal comes: whether it did, and which."""
    poller = select.poll()
    for descriptor in (control, bell):
        poller.register(descriptor, select.POLLIN)
    ready = [descriptor for descriptor, _ in poller.poll()]
    return control in ready, os.read(bell, 4096) if bell in ready else b""


def _reaped() -> list[tuple[int, int]]:
    """The children that have ended, orphans among them, with their wait status."""
    found = []
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(ended)
    except ChildProcessError:
        pass
    return found


def _swept(bell: int) -> bool:
    """Kill every descendant until none is left; False when some survive even that."""
    poller = select.poll()
    poller.register(bell, select.POLLIN)
    deadline = time.monotonic() + _SWEEP_SECONDS
    while time.monotonic() < deadline:
        for pid in _descendants(os.getpid()):
            _kill(pid)
        _reaped()
        if _childless():
            return True
        if poller.poll(_SWEEP_PAUSE_MILLISECONDS):
            os.read(bell, 4096)
    return False


def _childless() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # it is gone; or it is another user's, and the deadline ends our waiting


def _descendants(pid: int) -> list[int]:
    """All processes below one, as far as they hold still; who asks again finds the others."""
    table = {} if _LISTS_CHILDREN else _table()
    found = [pid]
    for one in found:  # grows while it is walked
        found += _children(one) if _LISTS_CHILDREN else table.get(one, [])
    return found[1:]


def _children(pid: int) -> list[int]:
    """What each thread of a process started: cheap, however many processes there are."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # it has ended: its children are ours now
    return found


def _table() -> dict[int, list[int]]:
    """Every process's children, for a kernel that does not list them."""
    found: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(name))
    return found
