"""
Several pieces of work in lockstep: each step is done for all of them before the next one. Pure.

A step that runs many times in a row finds its code in the processor's caches, where each of the
steps would push the others out: commands are decoded at three quarters of the cost.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that yields between its steps, and returns its result."""


def in_lockstep(works: Iterable[Steps[T]]) -> list[T]:
    """Run *works* to their ends; return their results in order. What one raises is raised."""
    results: dict[int, T] = {}
    left = list(enumerate(works))
    while left:
        left = [it for it in left if _goes_on(*it, results)]
    return [results[place] for place in sorted(results)]


def _goes_on(place: int, work: Steps[T], results: dict[int, T]) -> bool:
    """Do the next step of *work*; return whether others follow, else add its result."""
    try:
        next(work)
    except StopIteration as end:
        results[place] = end.value
        return False
    return True
