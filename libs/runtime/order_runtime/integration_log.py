"""The integration log at rest: one document an entry, kept for 90 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from order_contracts.integration_log import KEPT_DAYS, LogEntry
from order_runtime.mongo import Document

KEPT: Final = timedelta(days=KEPT_DAYS)


def log_document(entry: LogEntry) -> Document:
    """Return the document of *entry*, named as on the wire; insert it only where it is not yet."""
    document = entry.model_dump(exclude_none=True, exclude={"id"})
    return {"_id": entry.id, **document, "expireAt": entry.at + KEPT}
