"""
Memory that is given back: who waits for the next push needs none of what the last one took.

glibc raises the size from which it asks the kernel for a piece of its own whenever such a piece is
freed, keeps what is smaller, and gives every thread a heap. See
https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_PIECE_BYTES = 128 * 1024  # glibc's own, which is kept from growing
_HEAPS = 1


def be_thrifty() -> None:
    """Have freed memory go back to the kernel, at some microseconds a large piece; once, early."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl's has no such habits
        libc.mallopt(_M_MMAP_THRESHOLD, _PIECE_BYTES)
        libc.mallopt(_M_ARENA_MAX, _HEAPS)
