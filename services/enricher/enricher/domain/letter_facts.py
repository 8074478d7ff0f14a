"""What the document of an event's dead letter says. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from enricher.domain.model import ReceivedEvent
from order_contracts.topics import ENRICHER
from order_runtime.documents.dead_letters import LetterFacts, order_id_of_key
from order_runtime.documents.senders import Sender, sender_by_headers
from order_runtime.kafka.records import Record


def event_letter_facts(
    record: Record, event: ReceivedEvent | None, code: str, senders: Mapping[str, Sender]
) -> LetterFacts:
    """Return the facts: the sender is the command's, by its job, else whoever wrote the record."""
    if event is None:
        sender = sender_by_headers(record.headers)
        return LetterFacts(ENRICHER, code, order_id_of_key(record), sender=sender)
    job_id = event.event.job_id
    sender = senders.get(job_id) or sender_by_headers(record.headers)
    return LetterFacts(ENRICHER, code, event.event.order_id, job_id, sender)
