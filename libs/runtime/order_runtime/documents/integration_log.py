"""The integration log at rest: one document an entry, under its derived id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from order_contracts.decoding import at_rest
from order_contracts.integration_log import ACTION_DROPPED, LogEntry
from order_contracts.job import JobWarning
from order_runtime.documents.document import Document, field

_CODES: Final = frozenset({"ArticleMissing", "StoreMissing", ACTION_DROPPED})
ABOUT_JOBS: Final[Mapping[str, Any]] = {"code": {"$in": sorted(_CODES)}, "resolvedAt": None}
"""
Selects the entries that are warnings of their jobs as well.

What the order-writer warns of is in the job itself; a contact that is missing is an error of it.
"""


def log_document(entry: LogEntry) -> Document:
    """Return the document of an integration log entry."""
    document = entry.model_dump(exclude_none=True)
    return {"_id": document.pop("id"), **document}


def is_about_job(entry: Document) -> bool:
    """Return whether ABOUT_JOBS selects an entry."""
    return entry.get("code") in _CODES and entry.get("resolvedAt") is None


def job_warning_of(entry: Document) -> tuple[str, JobWarning]:
    """Return the job that an entry warns of, and the warning."""
    names = ("code", "message", "reference", "reason", "at")
    warning = at_rest(JobWarning, {name: entry[name] for name in names if name in entry})
    return field(entry, "jobId", str), warning
