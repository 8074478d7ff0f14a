"""Sampled stacks summed up by function: where the time is spent, and below which function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """A function's part of all samples: in itself, and with what it calls."""

    function: str
    own: float
    total: float


def shares(lines: Iterable[str]) -> list[Share]:
    """
    Return the functions by what they cost themselves, the dearest first.

    A line is a stack, outermost first, and its number of samples: `main;serve;read 12`.
    """
    own, total, samples = Counter[str](), Counter[str](), 0
    for frames, count in _stacks(lines):
        samples += count
        own[frames[-1]] += count
        for frame in set(frames):  # once, however often it calls itself
            total[frame] += count
    found = [Share(it, own[it] / samples, total[it] / samples) for it in total]
    return sorted(found, key=lambda it: (-it.own, -it.total, it.function))


def _stacks(lines: Iterable[str]) -> Iterator[tuple[list[str], int]]:
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        if stack:
            yield stack.split(";"), int(count)
