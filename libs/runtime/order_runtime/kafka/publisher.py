"""Publishing to Kafka: idempotent, acknowledged by all replicas, partitioned as Java does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.records import Outgoing

MAX_MESSAGE_BYTES: Final = 5 * 1024 * 1024  # the largest topic takes 4 MiB; the broker decides
LOGGER: Final = logging.getLogger("kafka")
FOREVER_MS: Final = 0  # as librdkafka says it
FLUSH_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.001
IDLE_POLL_SECONDS: Final = 0.2
"""How often librdkafka is asked for errors of its connections while nothing is awaited."""


OnError = Callable[[KafkaError], None]
"""Takes what librdkafka reports of connections; may be called in any thread."""


def ignore_error(error: KafkaError) -> None:
    """Do nothing: what isn't published says so by itself."""


class NotAccepted(Exception):
    """The record was never handed to Kafka."""


class RecordTooLarge(Exception):
    """The broker refused the record for its size; it was not stored."""


class OutcomeUnknown(Exception):
    """The record was handed over and no answer came in time: it may still be stored."""


def _config(
    kafka: KafkaAddress, client_id: str, *, linger_ms: float, timeout_ms: int
) -> dict[str, Any]:
    return librdkafka_config(kafka) | {
        "client.id": client_id,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "linger.ms": linger_ms,
        "message.timeout.ms": timeout_ms,
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.propagation.max.ms": 1_000,
        "queue.buffering.max.kbytes": 64 * 1024,
    }


class BatchPublisher:
    """For a service that runs in one thread: hand over a batch, wait for every acknowledgement."""

    def __init__(
        self, kafka: KafkaAddress, client_id: str, on_error: OnError = ignore_error
    ) -> None:
        # Never times out by itself: an event that isn't announced holds back the commit instead.
        config = _config(kafka, client_id, linger_ms=5, timeout_ms=FOREVER_MS)
        # What was stored needs no call: `flush` waits for it.
        config |= {"delivery.report.only.error": True, "error_cb": on_error}
        self._producer = Producer(config, logger=LOGGER)

    def publish_all(self, records: Sequence[Outgoing], timeout: float) -> bool:
        """
        Publish *records* in order; return whether all are acknowledged within *timeout* seconds.

        Call `flushed` until it says so before anything is committed. Raises KafkaException for
        a record that can't be stored.
        """
        self._failed: list[KafkaError] = []
        for record in records:
            self._hand_over(record)
        return self.flushed(timeout)

    def flushed(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds; return whether nothing is left to acknowledge."""
        left: int = self._producer.flush(timeout)
        if self._failed:
            raise KafkaException(self._failed[0])
        return left == 0

    def _hand_over(self, record: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    on_delivery=self._delivered,
                )
            except BufferError:  # the queue is full: let some of it leave
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)


class Publisher:
    """
    For a service that runs an event loop: `await publish(record)` until the broker has it.

    The loop itself asks librdkafka for acknowledgements, each millisecond while any are awaited: a
    thread that was woken by each would take the interpreter's lock from the loop just as often.
    """

    def __init__(
        self,
        kafka: KafkaAddress,
        client_id: str,
        *,
        timeout_ms: int = FOREVER_MS,
        on_error: OnError = ignore_error,
    ) -> None:
        self._on_error = on_error
        # No lingering: what is handed over while requests are on their way makes a batch by itself.
        config = _config(kafka, client_id, linger_ms=0, timeout_ms=timeout_ms)
        self._producer = Producer(config | {"error_cb": self._error}, logger=LOGGER)
        self._awaited = 0
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        self.broken = False
        """Whether the producer met an error it can't recover from: the process must be replaced."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._next_poll = self._loop.call_later(IDLE_POLL_SECONDS, self._poll)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._all_answered.wait()
        self._next_poll.cancel()

    def hand_over(self, record: Outgoing) -> asyncio.Future[None]:
        """
        Queue *record*; return a future that is done when the broker has it.

        Records of one key are stored in the order they are handed over. The future fails with
        OutcomeUnknown or RecordTooLarge. Raises NotAccepted where the queue is full.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        try:
            self._producer.produce(
                record.topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                on_delivery=lambda error, _: self._answered(future, error),
            )
        except (BufferError, KafkaException) as error:
            raise NotAccepted(str(error)) from error
        if not self._awaited:
            self._next_poll.cancel()
            self._next_poll = self._loop.call_later(POLL_SECONDS, self._poll)
            self._all_answered.clear()
        self._awaited += 1
        return future

    async def publish(self, record: Outgoing) -> None:
        """Publish *record* and wait for the acknowledgement; raises as `hand_over` does."""
        await self.hand_over(record)

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        """Publish *records* in order and wait for all; the first failure is raised."""
        await asyncio.gather(*[self.hand_over(record) for record in records])

    def _error(self, error: KafkaError) -> None:
        self.broken = self.broken or error.fatal()
        self._on_error(error)

    def _poll(self) -> None:
        try:
            self._producer.poll(0)
        finally:
            seconds = POLL_SECONDS if self._awaited else IDLE_POLL_SECONDS
            self._next_poll = self._loop.call_later(seconds, self._poll)

    def _answered(self, future: asyncio.Future[None], error: KafkaError | None) -> None:
        self._awaited -= 1
        if not self._awaited:
            self._all_answered.set()
        if future.done():
            return
        if error is None:
            future.set_result(None)
        elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            future.set_exception(RecordTooLarge(error.name()))
        else:
            future.set_exception(OutcomeUnknown(error.name()))
