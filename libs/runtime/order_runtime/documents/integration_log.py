"""The integration log at rest: one document an entry, under its derived id."""

from __future__ import annotations

from order_contracts.integration_log import LogEntry
from order_runtime.documents.document import Document


def log_document(entry: LogEntry) -> Document:
    """Return the document of an integration log entry."""
    document = entry.model_dump(exclude_none=True)
    return {"_id": document.pop("id"), **document}
