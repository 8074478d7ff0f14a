"""Idempotent writes to the integration log: entries inserted, and resolved once nothing lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import UpdateMany, UpdateOne

from enricher.adapters.bulk_writes import insert_once
from enricher.domain.linking import ARTICLE_MISSING, MISSING_CODES
from enricher.domain.missing_entries import lacks_unnamed_articles
from enricher.domain.model import ContactLink, DecidedEvent
from order_contracts.events import Missing
from order_contracts.integration_log import DropReason, drop_entry, log_entry, log_id
from order_runtime.documents.integration_log import log_document
from order_runtime.mongo.client import Document
from order_runtime.mongo.collections import OPEN_ENTRIES

_OPEN: Final[Document] = {"resolvedAt": None}  # absent, as a partial index can express it


def log_entry_writes(decided: Iterable[DecidedEvent], now: datetime) -> Iterator[UpdateOne]:
    for it in decided:
        event, decision = it.received.event, it.decision
        for missing in decision.log:
            yield log_entry_write(
                missing.code, event.job_id, event.order_id, missing.reference or None, now
            )
        if decision.dropped is not None:
            yield dropped_entry_write(event.job_id, event.order_id, decision.dropped, now)
        if more := decision.unnamed_articles:
            yield log_entry_write(
                ARTICLE_MISSING, event.job_id, event.order_id, None, now, more=more
            )


def log_entry_write(
    code: str, job_id: str, order_id: str, reference: str | None, now: datetime, more: int = 0
) -> UpdateOne:
    entry = log_entry(
        code, job_id=job_id, order_id=order_id, reference=reference, at=now, more=more
    )
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
