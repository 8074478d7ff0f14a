"""What the integration log says of jobs: what their orders lack, and actions that were dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pymongo.asynchronous.database import AsyncDatabase

from gateway import metrics
from order_contracts.job import JobWarning
from order_runtime.documents.integration_log import ABOUT_JOBS, is_about_job, job_warning_of
from order_runtime.mongo.client import INTEGRATION_LOG, Document
from order_runtime.process.unreadable import all_readable


async def warnings_of_jobs(
    database: AsyncDatabase[Document], job_ids: Sequence[str]
) -> Mapping[str, Sequence[JobWarning]]:
    """Return the warnings of those of these jobs that have any, by job; at most 50 of a code."""
    metrics.QUERIES.labels(INTEGRATION_LOG).inc()
    where = {"jobId": {"$in": list(job_ids)}, **ABOUT_JOBS}
    found = await database[INTEGRATION_LOG].find(where).to_list()
    return warnings_by_job(found)


def warnings_by_job(entries: Sequence[Document]) -> Mapping[str, Sequence[JobWarning]]:
    """Return what log *entries* of any kind say of their jobs; without those that can't be read."""
    by_job: dict[str, list[JobWarning]] = defaultdict(list)
    about_jobs = filter(is_about_job, entries)
    for job_id, warning in all_readable(INTEGRATION_LOG, about_jobs, job_warning_of):
        by_job[job_id].append(warning)
    return {job_id: sorted(warnings, key=_place) for job_id, warnings in by_job.items()}


def _place(warning: JobWarning) -> tuple[str, bool, str]:
    """Return what sorts the entry that stands for further ones behind those that name something."""
    return warning.code, warning.reference is None, warning.reference or ""
