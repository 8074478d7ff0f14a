"""Bytes that nobody needs are read at a pace which all connections share."""

from __future__ import annotations

from typing import Final

BYTES_PER_SECOND: Final = 16 * 1024 * 1024


class ReadingPace:
    """
    Says when more may be read of what is passed over.

    Bodies of refused requests are: whoever sends many of them at once shares this pace with
    nobody but those who do the same, and leaves the others their time.
    """

    def __init__(self, bytes_per_second: int = BYTES_PER_SECOND) -> None:
        self._bytes_per_second = bytes_per_second
        self._free_at = 0.0

    def seconds_after(self, size: int, now: float) -> float:
        """Count *size* bytes that were read *now*; return the seconds until more may be read."""
        self._free_at = max(self._free_at, now) + size / self._bytes_per_second
        return self._free_at - now
