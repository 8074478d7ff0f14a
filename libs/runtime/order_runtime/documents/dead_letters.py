"""
Dead letters at rest: one document a letter, which says where, why and whose, and holds no value.

`_id` is the place of the record that the letter is of, and how many letters there were of it:
`orders.commands/3/42/1`. So a letter that is made once more after a crash is the same document.
The letter itself is in its topic, and the topic of the marks says what an operator did with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from order_runtime.documents.document import Document
from order_runtime.documents.senders import UNKNOWN, Sender
from order_runtime.kafka.dead_letters import attempts_of, chain_of
from order_runtime.kafka.records import Outgoing, Record

OPEN: Final = "open"
REPLAYED: Final = "replayed"
SETTLED: Final = "settled"
DROPPED: Final = "dropped"
STATES: Final = (OPEN, REPLAYED, SETTLED, DROPPED)

MAX_ORDER_ID: Final = 255  # characters
RETENTION: Final = timedelta(days=14)
"""As long as the topics of dead letters keep them."""

Update = tuple[Document, Any]
"""A filter and an update."""


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """What a dead letter is about; nothing of it is personal data."""

    service: str
    code: str
    order_id: str | None = None
    job_id: str | None = None
    sender: Sender = UNKNOWN
    failed_at: datetime | None = None
    """When it failed, of what may fail again later; else the record's time counts."""


def letter_document(
    record: Record, letter: Outgoing, facts: LetterFacts, now: datetime
) -> Document:
    """Return the document of *letter*, which `dead_letter` made of *record*."""
    first = record.offset if record.first_offset is None else record.first_offset
    attempt = attempts_of(record) + 1
    document: Document = {
        "_id": f"{record.topic}/{record.partition}/{first}/{attempt}",
        "topic": record.topic,
        "partition": record.partition,
        "offset": first,
        "attempt": attempt,
        "chain": chain_of(letter),
        "service": facts.service,
        "code": facts.code,
        "orderId": facts.order_id,
        "jobId": facts.job_id,
        **facts.sender.fields(),
        "at": facts.failed_at or record.at,
        "state": OPEN,
        "expireAt": now + RETENTION,
    }
    return {name: value for name, value in document.items() if value is not None}


def order_id_of_key(record: Record) -> str | None:
    """Return a record's key as text; None where it can't be an orderId."""
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        return None
    return key if 0 < len(key) <= MAX_ORDER_ID else None


def kept_once(letter: Document) -> Update:
    """
    Return the update that upserts a letter.

    One that is there already stays as it is, unless its record failed once more since.
    """
    known = {"$gte": ["$at", letter["at"]]}  # false where there is none
    kept = {"$cond": [known, "$$ROOT", {"$literal": letter}]}
    return {"_id": letter["_id"]}, [{"$replaceWith": kept}]


def earlier_replayed(letter: Document) -> Update:
    """Return the update of the open letters that *letter* repeats: those were replayed."""
    # Records that were sent together have the same time.
    together = {"at": letter["at"], "offset": {"$lt": letter["offset"]}}
    earlier = {"$or": [{"at": {"$lt": letter["at"]}}, together]}
    same = {"chain": letter["chain"], "topic": letter["topic"], "_id": {"$ne": letter["_id"]}}
    return {**same, "state": OPEN, **earlier}, {"$set": {"state": REPLAYED}}


def settled_jobs(topic: str, job_ids: Iterable[str]) -> Update:
    """Return filter and update that settle the letters of jobs: what failed then is done now."""
    of_jobs = {"jobId": {"$in": list(job_ids)}, "topic": topic}
    return _moved(of_jobs, [OPEN, REPLAYED], SETTLED)


def replayed_jobs(topic: str, job_ids: Iterable[str]) -> Update:
    """Return filter and update for letters of jobs that are tried again."""
    return _moved({"jobId": {"$in": list(job_ids)}, "topic": topic}, [OPEN], REPLAYED)


def settled_chains(topic: str, chains: Iterable[str]) -> Update:
    """Return filter and update that settle the letters of which a replay was handled."""
    of_chains = {"chain": {"$in": list(chains)}, "topic": topic}
    return _moved(of_chains, [OPEN, REPLAYED], SETTLED)


def replayed_chains(topic: str, chains: Iterable[str]) -> Update:
    """Return filter and update for letters of which a replay is under way."""
    return _moved({"chain": {"$in": list(chains)}, "topic": topic}, [OPEN], REPLAYED)


def marked(ids: Iterable[str], state: str) -> Update:
    """Return filter and update for what an operator did with letters; settled ones stay so."""
    return _moved({"_id": {"$in": list(ids)}}, [OPEN, REPLAYED, DROPPED], state)


def _moved(where: Document, before: list[str], to: str) -> Update:
    return {**where, "state": {"$in": before}}, {"$set": {"state": to}}
