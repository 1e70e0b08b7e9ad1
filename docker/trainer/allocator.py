"""Keeps freed memory in the process, so that each step of a training finds it again."""

import ctypes
from contextlib import suppress

# Of malloc.h, glibc: parameters of mallopt.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


def keep_memory() -> None:
    """Have glibc's malloc reuse large blocks instead of returning them to the kernel.

    A convolution's outputs and gradients are some MiB each. glibc maps such blocks and unmaps them
    on free, so that every step faults all its pages in again: nearly half of the processor time of
    a small network. To be called before there are threads. Does nothing under other C libraries.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (musl has a mallopt that is none)
        for parameter, value in ((_MMAP_MAX, 0), (_ARENA_MAX, 1), (_TRIM_THRESHOLD, _NEVER)):
            library.mallopt(parameter, value)
