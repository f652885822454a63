"""The C heap of a worker process: arrays of some megabytes are reused instead of returned."""

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT: Final = 256 * 1024 * 1024
_OBJECTS_BETWEEN: Final = 200_000


def keep_freed_memory() -> bool:
    """Let malloc keep up to 256 MB; true where this is glibc.

    By default every array above 128 kB is mapped and unmapped by the kernel, which zeroes its pages
    each time: a quarter of the CPU of a refit (60 ms instead of 46 at 8,064 points).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    done = [mallopt(name, _KEPT) for name in (_TRIM_THRESHOLD, _MMAP_THRESHOLD)]
    return all(done)


def collect_rarely() -> None:
    """Look for cycles of garbage once in 200,000 new objects instead of 700.

    An answer of 8,640 points is as many small lists while it is read; with the default each brings
    a dozen searches through everything that was ever imported: 14 ms instead of 1 for an answer.
    Memory is not held longer: what is in no cycle, such as these lists, goes at once.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN, 20, 20)
