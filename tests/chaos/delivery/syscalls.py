"""
The system calls that change a disk: which they are, and which path one of them is about.

Numbers and registers are those of x86-64
(https://github.com/torvalds/linux/blob/master/arch/x86/entry/syscalls/syscall_64.tbl).
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

AT_FDCWD = 0xFFFFFF9C  # as the low half of a register has it


@dataclass(frozen=True)
class Call:
    """
    One kind of call.

    Attributes:
        name: What it is called.
        path: Which argument is its path, or its descriptor.
        directory: Which argument says what that path is relative to.
        takes_descriptor: Whether it has no path.
        needs_space: Whether a full disk may refuse it.
        makes: Whether it only needs space for what is not there yet.
    """

    name: str
    path: int
    directory: int | None = None
    takes_descriptor: bool = False
    needs_space: bool = True
    makes: bool = False


def _on_descriptor(name: str, *, needs_space: bool = True) -> Call:
    return Call(name, 0, takes_descriptor=True, needs_space=needs_space)


CALLS = {
    1: _on_descriptor("write"),
    2: Call("open", 0, makes=True),
    18: _on_descriptor("pwrite64"),
    20: _on_descriptor("writev"),
    40: _on_descriptor("sendfile"),
    74: _on_descriptor("fsync"),
    75: _on_descriptor("fdatasync"),
    76: Call("truncate", 0, needs_space=False),
    77: _on_descriptor("ftruncate", needs_space=False),
    82: Call("rename", 1),
    83: Call("mkdir", 0, makes=True),
    84: Call("rmdir", 0, needs_space=False),
    85: Call("creat", 0, makes=True),
    86: Call("link", 1),
    87: Call("unlink", 0, needs_space=False),
    88: Call("symlink", 1),
    90: Call("chmod", 0, needs_space=False),
    91: _on_descriptor("fchmod", needs_space=False),
    92: Call("chown", 0, needs_space=False),
    93: _on_descriptor("fchown", needs_space=False),
    257: Call("openat", 1, 0, makes=True),
    258: Call("mkdirat", 1, 0, makes=True),
    260: Call("fchownat", 1, 0, needs_space=False),
    263: Call("unlinkat", 1, 0, needs_space=False),
    264: Call("renameat", 3, 2),
    265: Call("linkat", 3, 2),
    266: Call("symlinkat", 2, 1),
    268: Call("fchmodat", 1, 0, needs_space=False),
    280: Call("utimensat", 1, 0, needs_space=False),
    285: _on_descriptor("fallocate"),
    316: Call("renameat2", 3, 2),
    326: Call("copy_file_range", 2, takes_descriptor=True),
}
_FLAGS_OF_OPENING = {2: 1, 257: 2}  # which argument says that a file is made or emptied
_MAKES = os.O_CREAT | os.O_TRUNC

# https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_TRACE, _ALLOW = 0x7FF00000, 0x7FFF0000


def seccomp_filter() -> bytes:
    """The filter that stops at these calls, and at no opening that only reads."""
    code = []
    for number in CALLS:
        argument = _FLAGS_OF_OPENING.get(number)
        flags = [] if argument is None else _flags_asked(argument)
        code += [(_LOAD, 0, 0, 0), (_EQUAL, 0, len(flags) + 1, number), *flags]
        code.append((_RETURN, 0, 0, _TRACE))
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in code)


def _flags_asked(argument: int) -> list[tuple[int, int, int, int]]:
    return [
        (_LOAD, 0, 0, 16 + 8 * argument),
        (_ANY_BIT, 1, 0, _MAKES),
        (_RETURN, 0, 0, _ALLOW),
    ]


def path_of(tid: int, call: Call, arguments: tuple[int, ...]) -> str:
    """The absolute path that a stopped thread is about to change."""
    there = Path(f"/proc/{tid}")
    if call.takes_descriptor:
        return _link((there / "fd" / str(_int(arguments[call.path]))).readlink)
    named = _text(tid, arguments[call.path])
    base = AT_FDCWD if call.directory is None else arguments[call.directory] & 0xFFFFFFFF
    held = there / "cwd" if base == AT_FDCWD else there / "fd" / str(base)
    return os.path.normpath(os.path.join(_link(held.readlink), named))  # noqa: PTH118 -- normalised


def _int(register: int) -> int:
    return register & 0x7FFFFFFF


def _link(read: Callable[[], Path]) -> str:
    try:
        return str(read())
    except OSError:
        return ""


def _text(tid: int, address: int) -> str:
    """A string in a thread's memory; page by page, because the next one may not be there."""
    said = b""
    if not address:  # utimensat on a descriptor
        return ""
    with Path(f"/proc/{tid}/mem").open("rb", buffering=0) as memory:
        while b"\0" not in said:
            memory.seek(address + len(said))
            said += memory.read(4096 - (address + len(said)) % 4096)
    return os.fsdecode(said.partition(b"\0")[0])
