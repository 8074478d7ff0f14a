"""Events that can't be handled: dead letters on Kafka, and a document of each in MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters.job_senders import senders_of
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.app.passed_over import reason_of, report_record
from enricher.domain.letter_facts import event_letter_facts
from enricher.domain.model import ReceivedEvent
from order_contracts.topics import ENRICHER, EVENTS
from order_runtime.documents.dead_letters import letter_document, settled_chains, settled_jobs
from order_runtime.kafka.dead_letters import dead_letter, replayed_chain
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import Document
from order_runtime.mongo.dead_letter_writes import record_letters
from order_runtime.observability.metrics import DEAD_LETTERS

Failed = tuple[Record, ReceivedEvent | None, Exception]
"""A record, its event where that can be read, and why it can't be handled."""


class SetAside:
    """Publishes the dead letters of events, and keeps the documents of these."""

    def __init__(self, database: AsyncDatabase[Document], publisher: RecordPublisher) -> None:
        self._database, self._publisher = database, publisher

    async def publish(self, code: str, failed: Sequence[Failed], now: datetime) -> list[Document]:
        """Publish a dead letter of each; return their documents, which are to be recorded."""
        if not failed:
            return []
        known = await senders_of(
            self._database, {event.event.job_id for _, event, _ in failed if event}
        )
        letters, documents = [], []
        for record, event, error in failed:
            report_record(record, error)
            letter = dead_letter(record, service=ENRICHER, code=code, reason=reason_of(error))
            if letter is not None:
                facts = event_letter_facts(record, event, code, known)
                letters.append(letter)
                documents.append(letter_document(record, letter, facts, now))
        await publish(self._publisher, letters)
        if letters:
            DEAD_LETTERS.labels(failed[0][0].topic, code).inc(len(letters))
        return documents

    async def record(self, letters: Sequence[Document], handled: Iterable[Record]) -> None:
        """Record *letters* after they are published; settle those of replays that were handled."""
        chains = {chain for it in handled if (chain := replayed_chain(it)) is not None}
        settled = [settled_chains(EVENTS.name, chains)] if chains else []
        await record_letters(self._database, letters, *settled)

    async def settle(self, job_ids: Collection[str]) -> None:
        """Settle the letters of jobs whose events were handled by the sweep."""
        if job_ids:
            await record_letters(self._database, (), settled_jobs(EVENTS.name, job_ids))
