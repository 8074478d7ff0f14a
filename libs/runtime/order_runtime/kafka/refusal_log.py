"""Logs why Kafka doesn't let a service in, while it goes on trying."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import KafkaError

from order_runtime.kafka.refusals import refusal, refusal_kind
from order_runtime.process.log_events import KAFKA_REFUSES
from order_runtime.process.logs import log

SAID_AGAIN_SECONDS: Final = 60.0


class RefusalLog:
    """Logs why clients of this process aren't let in: each reason once a minute."""

    def __init__(self) -> None:
        self._silent_until: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Take an error as librdkafka reports it (`error_cb`); may be called from any thread."""
        reason, kind, now = refusal(error), refusal_kind(error), time.monotonic()
        if reason is None or now < self._silent_until.get(kind, 0.0):
            return
        self._silent_until[kind] = now + SAID_AGAIN_SECONDS
        log().error(KAFKA_REFUSES, reason=reason)


log_refusal: Final = RefusalLog()
"""Of all clients of the process: each of them would say the same."""
