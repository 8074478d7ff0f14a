"""CPU of processes by the kernel's own counters, less what they spend while idle."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

import psutil

IDLE_SECONDS: Final = 2.0


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    times = [it.cpu_times() for it in processes]
    return sum(it.user + it.system for it in times)


class CpuMeter:
    """Tells what named groups of processes spent since it was started."""

    def __init__(self, processes: Mapping[str, Iterable[psutil.Process]]) -> None:
        self._processes = {name: list(some) for name, some in processes.items()}
        self._idle = dict.fromkeys(self._processes, 0.0)
        self._began, self._at = self._now(), time.monotonic()

    def measure_idle(self) -> None:
        """Take from now on off what they spend while nothing is asked of them."""
        before = self._now()
        time.sleep(IDLE_SECONDS)  # a rate: there is nothing to wait for
        self._idle = {
            name: (spent - before[name]) / IDLE_SECONDS for name, spent in self._now().items()
        }

    def start(self) -> None:
        self._began, self._at = self._now(), time.monotonic()

    def spent(self) -> dict[str, float]:
        """Return the seconds of CPU of each group since the start."""
        seconds = time.monotonic() - self._at
        return {
            name: spent - self._began[name] - self._idle[name] * seconds
            for name, spent in self._now().items()
        }

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(some) for name, some in self._processes.items()}
