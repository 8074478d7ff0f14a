"""How a batch waits for MongoDB or Kafka: it stays in the consumer group, and can be stopped."""

from __future__ import annotations

import threading
from typing import Final

from order_runtime.observability.dependencies import Dependency
from order_runtime.observability.progress import Loop
from order_runtime.process.signals import StopRequested
from order_writer import metrics
from order_writer.app.ports import CommandSource

BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)


class Waiting:
    """Waits by idling the source, so that the consumer keeps its partitions."""

    def __init__(self, source: CommandSource, stop: threading.Event, loop: Loop) -> None:
        self._source, self._stop, self._loop = source, stop, loop

    def back_off(self, dependency: Dependency, reason: str, attempt: int) -> None:
        """
        Wait before the next attempt, longer each time; raises StopRequested instead.

        *reason* is the kind of the error of the last one.
        """
        self.check_stop()
        self._loop.turn()
        metrics.WAITS.labels(dependency.name).inc()
        dependency.failed(reason)
        self._source.idle(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])

    def pause(self) -> None:
        """Wait for the shortest time."""
        self._source.idle(BACKOFF_SECONDS[0])

    def check_stop(self) -> None:
        """Raise StopRequested if the service was asked to stop."""
        if self._stop.is_set():
            raise StopRequested
