"""How long each step of a batch takes."""

from __future__ import annotations

import time

from enricher import metrics


class Steps:
    """The steps of a batch, each timed from the end of the one before."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def done(self, step: str) -> None:
        now = time.monotonic()
        metrics.STEP_SECONDS.labels(step).observe(now - self._since)
        self._since = now
