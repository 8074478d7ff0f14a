"""A fixed piece of pure Python, run beside a measurement: what a µs of CPU is worth just then."""

from __future__ import annotations

import threading
import time
from statistics import median
from types import TracebackType
from typing import Final, Self

STEPS: Final = 20_000
PAUSE: Final = 0.1  # seconds between two runs: it must not crowd out what is measured


def piece_of_work() -> int:
    """Do always the same: integers, texts, tuples and a dictionary."""
    seen: dict[str, int] = {}
    for step in range(STEPS):
        key = str(step % 500)
        seen[key] = seen.get(key, 0) + len(key) * step % 7
    return sum(seen.values())


class Calibration:
    """Runs the piece of work again and again, in a thread, until the end of the body."""

    def __init__(self) -> None:
        self._took: list[float] = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="calibration")

    @property
    def seconds(self) -> float:
        """The CPU of one run of it, in the median."""
        return median(self._took)

    def _run(self) -> None:
        while True:
            began = time.thread_time()
            piece_of_work()
            self._took.append(time.thread_time() - began)
            if self._enough.wait(PAUSE):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._enough.set()
        self._thread.join()
