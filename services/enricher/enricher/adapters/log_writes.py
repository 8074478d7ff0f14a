"""Idempotent writes to the integration log: entries inserted, and resolved once nothing lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from pymongo import UpdateMany, UpdateOne

from enricher.adapters.bulk_writes import insert_once
from enricher.domain.linking import ARTICLE_MISSING, MISSING_CODES
from enricher.domain.missing_entries import lacks_unnamed_articles
from enricher.domain.model import ContactLink, DecidedEvent, Decision
from order_contracts.events import Missing
from order_contracts.integration_log import DropReason, LogEntry, drop_entry, log_entry, log_id
from order_runtime.documents.integration_log import log_document
from order_runtime.documents.senders import UNKNOWN, Sender
from order_runtime.mongo.client import Document
from order_runtime.mongo.collections import OPEN_ENTRIES

NO_SENDERS: Final[Mapping[str, Sender]] = MappingProxyType({})
_OPEN: Final[Document] = {"resolvedAt": None}  # absent, as a partial index can express it


def logged_jobs(decided: Iterable[DecidedEvent]) -> set[str]:
    """Return the jobs that have entries."""
    return {it.received.event.job_id for it in decided if _is_logged(it.decision)}


def _is_logged(decision: Decision) -> bool:
    return bool(decision.log or decision.dropped or decision.unnamed_articles)


def log_entry_writes(
    decided: Iterable[DecidedEvent], now: datetime, senders: Mapping[str, Sender] = NO_SENDERS
) -> Iterator[UpdateOne]:
    """Yield the insertion of each entry, with who sent its job's command."""
    for it in decided:
        sent_by = senders.get(it.received.event.job_id, UNKNOWN)
        for entry in _entries(it, now):
            yield insert_once(log_document(entry) | sent_by.fields())


def _entries(decided: DecidedEvent, now: datetime) -> Iterator[LogEntry]:
    event, decision = decided.received.event, decided.decision
    of_job = partial(log_entry, job_id=event.job_id, order_id=event.order_id, at=now)
    for missing in decision.log:
        yield of_job(missing.code, reference=missing.reference or None)
    if decision.dropped is not None:
        yield drop_entry(decision.dropped, job_id=event.job_id, order_id=event.order_id, at=now)
    if more := decision.unnamed_articles:
        yield of_job(ARTICLE_MISSING, more=more)


def log_entry_write(
    code: str, job_id: str, order_id: str, reference: str | None, now: datetime
) -> UpdateOne:
    entry = log_entry(code, job_id=job_id, order_id=order_id, reference=reference, at=now)
    return insert_once(log_document(entry))


def dropped_entry_write(job_id: str, order_id: str, reason: DropReason, now: datetime) -> UpdateOne:
    return insert_once(log_document(drop_entry(reason, job_id=job_id, order_id=order_id, at=now)))


def resolve_log_entries(order_id: str, link: ContactLink | None, now: datetime) -> UpdateMany:
    """
    Return the update that resolves an order's open entries, but for what *link* says is missing.

    The entry that stands for further articles is of one version of the order: it is resolved once
    none of them is missing, or the order was replaced. Its bounds leave out the entries that stay
    open: however many jobs lacked the same, they are not read.
    """
    missing = link.missing if link is not None else ()
    left = [_no_longer(order_id, code, missing) for code in sorted(MISSING_CODES)]
    where: dict[str, Any] = {"$or": left}
    if link is not None and lacks_unnamed_articles(link):
        where["_id"] = {"$ne": log_id(ARTICLE_MISSING, link.job_id)}
    return UpdateMany(where, {"$set": {"resolvedAt": now}}, hint=OPEN_ENTRIES.name)


def _no_longer(order_id: str, code: str, missing: Sequence[Missing]) -> Document:
    """Return the filter of an order's open entries of *code*, without what is still missing."""
    still = [it.reference for it in missing if it.code == code]
    return {"orderId": order_id, "code": code, "reference": {"$nin": still}, **_OPEN}
