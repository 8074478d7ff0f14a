"""The filter of a job's status selects exactly the documents for which `status_of` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from gateway.domain.job_filters import STATUS_FILTERS
from order_contracts.job import Enrichment, JobStatus, Operation, status_of
from order_runtime.documents.jobs import stages_of

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
ENRICHED: list[dict[str, Any]] = [
    {},
    *({"enrichment": {"state": str(state), "at": AT}} for state in Enrichment),
]
FAILED: list[dict[str, Any]] = [{}, {"failure": {"code": "OrderExists"}}]
DOCUMENTS = [
    {"_id": "job-1", "operation": str(operation), "version": 1} | enriched | failed
    for operation, enriched, failed in product(Operation, ENRICHED, FAILED)
]


def matches(document: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Evaluate those operators of MongoDB that the filters are made of."""
    return all(holds(document, name, condition) for name, condition in where.items())


def holds(document: Mapping[str, Any], name: str, condition: Any) -> bool:
    if name in {"$and", "$or", "$nor"}:
        found = [matches(document, each) for each in condition]
        return {"$and": all(found), "$or": any(found), "$nor": not any(found)}[name]
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(condition, Mapping):
        return (value is not None) is condition["$exists"]
    return bool(value == condition)


def test_every_status_has_a_filter() -> None:
    assert set(STATUS_FILTERS) == set(JobStatus)


@pytest.mark.parametrize("status", JobStatus)
def test_a_filter_selects_the_jobs_of_its_status(status: JobStatus) -> None:
    """None of a job that is only accepted: it is not stored yet."""
    for document in DOCUMENTS:
        actual = status_of(stages_of(document), Operation(document["operation"]))
        assert matches(document, STATUS_FILTERS[status]) is (actual is status), document


@pytest.mark.parametrize("status", JobStatus)
def test_an_alias_has_no_status_of_its_own(status: JobStatus) -> None:
    for document in DOCUMENTS:
        assert not matches(document | {"aliasOf": "job-0"}, STATUS_FILTERS[status])
