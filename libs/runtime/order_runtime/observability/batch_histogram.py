"""A histogram of many values at once: a batch of records costs one lock, not one for each."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

END_TO_END: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)
"""Seconds from accepting a command to what became of it: usually below one, after outages hours."""


class BatchHistogram(Collector):
    """Counts values in buckets, as prometheus_client's `Histogram` does; shown from the start."""

    def __init__(
        self,
        name: str,
        documentation: str,
        buckets: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._name, self._documentation = name, documentation
        self._bounds = tuple(float(bound) for bound in buckets)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: Iterable[float]) -> None:
        """Count all *values*."""
        found = list(values)
        at = [bisect_left(self._bounds, value) for value in found]
        with self._lock:
            for bucket in at:
                self._counts[bucket] += 1
            self._sum += sum(found)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets, below = [], 0
        bounds = [*(str(bound) for bound in self._bounds), "+Inf"]
        for bound, count in zip(bounds, counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, sum_value=total)
