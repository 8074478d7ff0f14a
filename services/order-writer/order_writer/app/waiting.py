"""How a batch waits for MongoDB or Kafka: it stays in the consumer group, and can be stopped."""

from __future__ import annotations

import threading
from typing import Final

from order_runtime.process.logs import log
from order_runtime.process.signals import StopRequested
from order_writer import metrics
from order_writer.app.ports import CommandSource
from order_writer.log_events import WAITING

BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)


class Waiting:
    """Waits by idling the source, so that the consumer keeps its partitions."""

    def __init__(self, source: CommandSource, stop: threading.Event) -> None:
        self._source, self._stop = source, stop

    def back_off(self, dependency: str, attempt: int) -> None:
        """Wait before the next attempt, longer each time; raises StopRequested instead."""
        self.check_stop()
        metrics.WAITS.labels(dependency).inc()
        if attempt == 0:
            log().warning(WAITING, missing=dependency)
        self._source.idle(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])

    def pause(self) -> None:
        """Wait for the shortest time."""
        self._source.idle(BACKOFF_SECONDS[0])

    def check_stop(self) -> None:
        """Raise StopRequested if the service was asked to stop."""
        if self._stop.is_set():
            raise StopRequested
