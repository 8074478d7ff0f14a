"""The selections of a rare status have exactly the jobs for which `status_of` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from gateway.app.job_lists import merged
from gateway.domain.pagination import Cursor, PageRequest
from order_contracts.job import Enrichment, JobStatus, Operation
from order_runtime.documents.job_filters import RARE_STATUSES
from order_runtime.documents.job_updates import NewEnrichment, enrichment_document
from order_runtime.documents.jobs import StoredJob, status_of_stored

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
FAILED: list[dict[str, Any]] = [{}, {"failure": {"code": "OrderExists"}}]


def jobs() -> list[StoredJob]:
    """Return jobs of every kind: not enriched, with an enrichment, and with one inside."""
    found: list[StoredJob] = []
    for operation, failed in product(Operation, FAILED):
        # A command that asks for an action alone makes no version.
        version = None if operation is Operation.ACTION else 1
        job = {"_id": "job-1", "operation": str(operation), "at": AT, **failed}
        found.append(StoredJob(job))
        for state in () if failed else Enrichment:
            new = NewEnrichment("job-1", "o-1", version, state, None, AT)
            found.append(StoredJob(job, enrichment_document(new, AT)))
            found.append(StoredJob(job | {"enrichment": {"state": str(state), "at": AT}}))
    return found


def matches(document: Mapping[str, Any] | None, where: Mapping[str, Any]) -> bool:
    """Evaluate those operators of MongoDB that the selections are made of."""
    return document is not None and all(
        holds(document, name, condition) for name, condition in where.items()
    )


def holds(document: Mapping[str, Any], name: str, condition: Any) -> bool:
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    match condition:
        case {"$exists": wanted}:
            return (value is not None) is wanted
        case {"$ne": other}:
            return bool(value != other)
        case _:
            return bool(value == condition)


def test_all_but_the_most_frequent_status_have_selections() -> None:
    assert set(JobStatus) - set(RARE_STATUSES) == {JobStatus.COMPLETED}


@pytest.mark.parametrize("status", RARE_STATUSES)
def test_the_selections_of_a_status_have_its_jobs_and_no_other(status: JobStatus) -> None:
    for job in jobs():
        selected = any(
            matches(job.enrichment if it.of_enrichments else job.job, it.where)
            for it in RARE_STATUSES[status]
        )
        assert selected is (status_of_stored(job) is status), job


def test_a_selection_is_sorted_by_the_time_of_the_jobs_command() -> None:
    new = NewEnrichment("job-1", "o-1", 1, Enrichment.DONE, None, AT)
    document = enrichment_document(new, datetime.now(UTC))
    for it in (it for some in RARE_STATUSES.values() for it in some if it.of_enrichments):
        assert document[it.sort_field] == AT


def row(seconds: int, name: str) -> dict[str, Any]:
    return {"_id": name, "at": AT.replace(second=seconds)}


def test_rows_of_several_indexes_are_merged_into_the_order_of_the_list() -> None:
    """Each job once: it may be found in the enrichments and, of an earlier release, itself."""
    rows = [row(3, "a"), row(1, "b"), row(3, "c"), row(2, "d"), row(3, "a"), row(1, "e")]
    newest_first = PageRequest("at", count=3)
    oldest_first = PageRequest("at", count=3, cursor=Cursor(AT, ""), backward=True)
    damaged = {"_id": "x", "at": None}
    assert [it["_id"] for it in merged([damaged, *rows], newest_first)] == ["c", "a", "d", "e"]
    assert [it["_id"] for it in merged(rows, oldest_first)] == ["b", "e", "d", "a"]
