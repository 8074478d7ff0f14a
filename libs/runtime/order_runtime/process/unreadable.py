"""Stored documents that can't be read: each is logged and counted, and costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from prometheus_client import Counter

from order_runtime.documents.document import Document, UnreadableStored, stored
from order_runtime.mongo.collections import COLLECTIONS
from order_runtime.observability.metrics import begin_at_zero
from order_runtime.process.log_events import DOCUMENT_UNREADABLE
from order_runtime.process.logs import log

T = TypeVar("T")

MAX_REMEMBERED: Final = 10_000
UNREADABLE_DOCUMENTS: Final = Counter(
    "ordermill_unreadable_documents",
    "Stored documents that could not be read, each once while the process lives.",
    ["collection"],
)
begin_at_zero(UNREADABLE_DOCUMENTS, [it.name for it in COLLECTIONS])
_reported: set[tuple[str, str]] = set()


def report(error: UnreadableStored) -> None:
    """Log and count a document, once: a sweep or a poll meets it again and again."""
    which = (error.collection, error.facts["document"])
    if which in _reported:
        return
    if len(_reported) >= MAX_REMEMBERED:
        _reported.clear()
    _reported.add(which)
    UNREADABLE_DOCUMENTS.labels(error.collection).inc()
    log().error(DOCUMENT_UNREADABLE, **error.facts)


def readable(collection: str, document: Document, convert: Callable[[Document], T]) -> T | None:
    """Return what *convert* makes of *document*; None, and a report, where it can't be read."""
    try:
        return stored(collection, document, convert)
    except UnreadableStored as error:
        report(error)
        return None


def all_readable(
    collection: str, documents: Iterable[Document], convert: Callable[[Document], T]
) -> list[T]:
    """Return what *convert* makes of those *documents* that can be read."""
    found = (readable(collection, document, convert) for document in documents)
    return [it for it in found if it is not None]
