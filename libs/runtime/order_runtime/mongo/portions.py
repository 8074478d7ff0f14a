"""Long lists of keys or writes in portions that fit into one operation of MongoDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

MAX_KEYS: Final = 10_000  # keys of up to 255 characters in one query, well under 16 MB

T = TypeVar("T")


def portions(items: Sequence[T], size: int = MAX_KEYS) -> Iterator[list[T]]:
    """Yield *items* in their order, in lists of at most *size*."""
    left = iter(items)
    while portion := list(islice(left, size)):
        yield portion
