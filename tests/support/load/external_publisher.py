"""A system that publishes on Kafka directly, and records the acknowledgements in a journal."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaException, Message, Producer

from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord
from support.history.journal import PUBLICATION_ID_HEADER, Journal, Publication

DELIVERY_TIMEOUT = 600
"""Longer than any fault: after a timeout librdkafka bumps its producer epoch and sends the records
in flight again, although they may be in the log."""


class ExternalPublisher:
    """Publishes in order; records that time out are recorded as not acknowledged."""

    def __init__(self, kafka: KafkaAddress, journal: Journal) -> None:
        self._kafka = kafka
        self._journal = journal
        self._producer = self._started()

    def send(
        self, record: RawRecord, topic: str = COMMANDS_TOPIC, *, at: datetime | None = None
    ) -> Publication:
        """
        Produce a record; returns before it is acknowledged, see `flush`.

        *at* is the record's timestamp, by default the current time.
        """
        publication_id = str(uuid4())
        headers = [(name, _bytes(value)) for name, value in record.pairs]
        key = _bytes(record.key)
        sent = Publication(publication_id, topic, key, record.value, tuple(headers), time.time())
        self._journal.publications.append(sent)

        def delivered(error: Any, message: Message) -> None:
            if error is None:
                sent.partition_offset = message.partition(), message.offset()

        try:
            self._producer.produce(
                topic,
                key=key,
                value=record.value,
                headers=[*headers, (PUBLICATION_ID_HEADER, publication_id.encode())],
                partition=record.partition,
                timestamp=0 if at is None else int(at.timestamp() * 1000),
                on_delivery=delivered,
            )
        except (
            BufferError,
            KafkaException,
        ):  # the queue is full, or a fatal error: use a new producer
            self._producer = self._started()
        self._producer.poll(0)
        return sent

    def flush(self, seconds: float = DELIVERY_TIMEOUT + 5) -> int:
        """Wait for all acknowledgements; return the number of records without one."""
        left: int = self._producer.flush(seconds)
        return left

    def _started(self) -> Producer:
        return Producer(
            {
                **librdkafka_config(self._kafka),
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "message.timeout.ms": DELIVERY_TIMEOUT * 1000,
                "linger.ms": 2,
                "log_level": 0,  # faults are injected on purpose; the journal has the results
            }
        )


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
