"""Records the actions of a batch as deliveries; what can't be becomes a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from pymongo.asynchronous.database import AsyncDatabase

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.app.delivery_spans import begin_spans, end_spans
from action_trigger.domain.decode import UnreadableAction, decode_action
from action_trigger.domain.delivery import ReceivedAction
from action_trigger.log_events import UNREADABLE_ACTION
from order_contracts.topics import ACTIONS, TRIGGER
from order_contracts.trace_context import traceparent_in
from order_runtime.documents.dead_letters import (
    LetterFacts,
    letter_document,
    order_id_of_key,
    replayed_chains,
)
from order_runtime.documents.document import UnreadableStored
from order_runtime.documents.senders import sender_by_headers
from order_runtime.kafka.dead_letters import dead_letter, replayed_chain
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import Document
from order_runtime.mongo.dead_letter_writes import record_letters
from order_runtime.observability.metrics import DEAD_LETTERS
from order_runtime.observability.tracing import Tracing
from order_runtime.process.isolation import Isolation
from order_runtime.process.log_events import NO_FURTHER_DEAD_LETTER, RECORD_SET_ASIDE
from order_runtime.process.logs import error_fields, log, trace_fields
from order_runtime.process.retry import retry_transient
from order_runtime.process.unreadable import report


class Dispatch(Protocol):
    """What sends the deliveries that are recorded."""

    def expect(self, ids: Iterable[str]) -> None:
        """Deliveries with these ids are about to be recorded, in one or several calls."""

    def recorded(self, actions: Sequence[ReceivedAction], created_at: datetime) -> None:
        """Those of *actions* were, with that time; where there are none, they are to be read."""


class ActionRecorder:
    """Turns records into deliveries, or into dead letters where that can't be done."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        deliveries: DeliveryStore,
        publisher: Publisher,
        dispatch: Dispatch,
        tracing: Tracing | None = None,
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._publisher = publisher
        self._dispatch = dispatch
        self._tracing = tracing
        self._isolation = Isolation()

    async def record(self, records: Sequence[Record], now: datetime) -> None:
        """
        Return when deliveries and dead letters are durable; idempotent.

        Raises EverythingFails where no action can be recorded.
        """
        decoded = [decode_action(record) for record in records]
        received = [item for item in decoded if isinstance(item, ReceivedAction)]
        actions, spans = begin_spans(self._tracing, received)

        async def handle(some: Sequence[ReceivedAction]) -> None:
            self._dispatch.recorded(await self._deliveries.record(some, now), now)

        self._dispatch.expect([it.action_id for it in actions])
        failed = await retry_transient(lambda: self._isolation.handle(actions, handle))
        metrics.RECORDED.inc(len(actions) - len(failed))
        set_aside = {it.action_id for it, _ in failed}
        recorded = [it for it in actions if it.action_id not in set_aside]
        end_spans(self._tracing, recorded, spans)
        unreadable = [it for it in decoded if isinstance(it, UnreadableAction)]
        letters = [await self._set_aside(*it, now) for it in failed]
        letters += [await self._refuse(it, now) for it in unreadable]
        replays = [it for it in recorded if it.replay]
        await self._record_letters([it for it in letters if it is not None], replays)

    async def _record_letters(
        self, letters: Sequence[Document], replays: Sequence[ReceivedAction]
    ) -> None:
        """Record the letters that were published, and that those of *replays* were replayed."""
        chains = {chain for it in replays if (chain := replayed_chain(it.record)) is not None}
        replayed = [replayed_chains(ACTIONS.name, chains)] if chains else []
        await retry_transient(lambda: record_letters(self._database, letters, *replayed))

    async def _refuse(self, item: UnreadableAction, now: datetime) -> Document | None:
        record, code = item.record, "ValidationFailed"
        sender = sender_by_headers(record.headers)
        facts = LetterFacts(TRIGGER, code, order_id_of_key(record), sender=sender)
        letter = await self._publish_dead_letter(record, item.reason, facts, now)
        log().warning(UNREADABLE_ACTION, **_place(record), reason=item.reason)
        return letter

    async def _set_aside(
        self, action: ReceivedAction, error: Exception, now: datetime
    ) -> Document | None:
        record = action.record
        kind = type(error).__name__
        reason = f"It can't be recorded, for a reason nobody knows ({kind})"
        if isinstance(error, UnreadableStored):
            report(error)
            reason = str(error)
        facts = LetterFacts(TRIGGER, "InternalError", action.order_id, action.job_id)
        letter = await self._publish_dead_letter(record, reason, facts, now)
        log().error(RECORD_SET_ASIDE, **_place(record), **error_fields(error))
        return letter

    async def _publish_dead_letter(
        self, record: Record, reason: str, facts: LetterFacts, now: datetime
    ) -> Document | None:
        """Publish one at a time, since it may be large; return its document."""
        metrics.UNREADABLE.inc()
        letter = dead_letter(record, service=TRIGGER, code=facts.code, reason=reason)
        if letter is None:
            log().warning(NO_FURTHER_DEAD_LETTER, **_place(record))
            return None
        await self._publisher.publish(letter)
        DEAD_LETTERS.labels(record.topic, facts.code).inc()
        return letter_document(record, letter, facts, now)


def _place(record: Record) -> dict[str, int | str]:
    """Return what log lines about a record say."""
    place = {"partition": record.partition, "offset": record.offset}
    return {**place, **trace_fields(traceparent_in(record.headers))}
