"""Records the actions of a batch as deliveries; what can't be becomes a dead letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.domain.decode import UnreadableAction, decode_action
from action_trigger.domain.delivery import ReceivedAction
from action_trigger.log_events import UNREADABLE_ACTION
from order_contracts.topics import TRIGGER
from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.records import Record
from order_runtime.observability.metrics import DEAD_LETTERS
from order_runtime.process.isolation import Isolation
from order_runtime.process.log_events import NO_FURTHER_DEAD_LETTER, RECORD_SET_ASIDE
from order_runtime.process.logs import error_fields, log
from order_runtime.process.retry import retry_transient
from order_runtime.process.unreadable import report


class ActionRecorder:
    """Turns records into deliveries, or into dead letters where that can't be done."""

    def __init__(
        self, deliveries: DeliveryStore, publisher: Publisher, recorded: Callable[[], None]
    ) -> None:
        self._deliveries = deliveries
        self._publisher = publisher
        self._recorded = recorded
        self._isolation = Isolation()

    async def record(self, records: Sequence[Record], now: datetime) -> None:
        """
        Return when deliveries and dead letters are durable; idempotent.

        Raises EverythingFails where no action can be recorded.
        """
        decoded = [decode_action(record) for record in records]
        actions = [item for item in decoded if isinstance(item, ReceivedAction)]

        async def handle(some: Sequence[ReceivedAction]) -> None:
            await self._deliveries.record(some, now)

        failed = await retry_transient(lambda: self._isolation.handle(actions, handle))
        if len(failed) < len(actions):
            metrics.RECORDED.inc(len(actions) - len(failed))
            self._recorded()
        for action, error in failed:
            await self._set_aside(action.record, error)
        for item in decoded:
            if isinstance(item, UnreadableAction):
                await self._publish_dead_letter(item.record, "ValidationFailed", item.reason)
                log().warning(UNREADABLE_ACTION, **_place(item.record), reason=item.reason)

    async def _set_aside(self, record: Record, error: Exception) -> None:
        kind = type(error).__name__
        reason = f"It can't be recorded, for a reason nobody knows ({kind})"
        if isinstance(error, UnreadableStored):
            report(error)
            reason = str(error)
        await self._publish_dead_letter(record, "InternalError", reason)
        log().error(RECORD_SET_ASIDE, **_place(record), **error_fields(error))

    async def _publish_dead_letter(self, record: Record, code: str, reason: str) -> None:
        """Publish one at a time: it may be large."""
        metrics.UNREADABLE.inc()
        letter = dead_letter(record, service=TRIGGER, code=code, reason=reason)
        if letter is None:
            log().warning(NO_FURTHER_DEAD_LETTER, **_place(record))
        else:
            await self._publisher.publish(letter)
            DEAD_LETTERS.labels(record.topic, code).inc()


def _place(record: Record) -> dict[str, int]:
    return {"partition": record.partition, "offset": record.offset}
