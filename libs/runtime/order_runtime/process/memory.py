"""What a process takes from the system, and gives back."""

from __future__ import annotations

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # of glibc's mallopt(3)
LARGE_BLOCK: Final = 256 * 1024
"""Bytes from which on a block is given back to the system as soon as it is freed."""


def give_back_large_blocks() -> None:
    """
    Let glibc return each freed block of LARGE_BLOCK bytes or more to the system at once.

    By itself, it raises that size to that of the largest block freed so far, up to 32 MiB: after
    one large batch of records, all later ones lie between smaller blocks and leave holes that
    only they would fill. Another C library than glibc is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)
