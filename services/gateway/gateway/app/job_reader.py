"""Jobs as they are answered, from their documents or, before they are stored, from their ids."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.adapters.read_store import ReadStore
from gateway.domain.problem_error import ProblemError
from gateway.domain.urls import Urls
from order_contracts.job import Job, JobWarning
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.documents.document import (
    Document,
    UnreadableStored,
    field,
    optional,
    stored,
)
from order_runtime.documents.jobs import RETENTION, StoredJob, accepted_job, job_of
from order_runtime.mongo.client import JOBS
from order_runtime.process.unreadable import all_readable, report


@dataclass(frozen=True, slots=True)
class JobReader:
    """
    Reads jobs; raises DatabaseUnavailable, and UnreadableStored for one that can't be read.

    An alias, the job of a repeated command, has the content of the job that it repeats under its
    own id.
    """

    reads: ReadStore
    urls: Urls
    secrets: JobIdSecrets

    async def job(self, job_id: str) -> Job:
        """Return the job of an id that was issued here; raises ProblemError for any other."""
        issued_at = self.secrets.issued_at(job_id)
        if issued_at is not None and issued_at + RETENTION < datetime.now(UTC):
            raise _expired()
        document = await self.reads.job(job_id)
        if document is not None:
            return await self.of_document(document)
        if issued_at is None:
            raise ProblemError("JobNotFound", "This system issued no such job.")
        return accepted_job(job_id, created_at=issued_at, href=self.urls.job(job_id))

    async def of_document(self, document: Document) -> Job:
        """Return a stored job; raises ProblemError for an alias whose job is past retention."""
        repeated_id = stored(JOBS, document, _repeated_id)
        repeated = await self.reads.job(repeated_id) if repeated_id else None
        if repeated_id and repeated is None:
            raise _expired()
        content = repeated or document
        order_id = stored(JOBS, content, lambda it: optional(it, "orderId", str))
        joined, order_exists = await asyncio.gather(
            self.reads.joined(content), self._order_exists(order_id)
        )
        return self._job(document, joined, order_exists=order_exists)

    async def _order_exists(self, order_id: str | None) -> bool:
        return order_id is not None and await self.reads.exists(order_id)

    async def of_documents(
        self,
        documents: Sequence[Document],
        *,
        order_exists: bool,
        logged: Mapping[str, Sequence[JobWarning]] | None = None,
    ) -> tuple[Job, ...]:
        """
        Return stored jobs, without aliases whose job is past retention.

        Those that can't be read are left out. *logged* is what the integration log says of jobs,
        by job; it is read where it isn't given.
        """
        repeated_ids = all_readable(JOBS, documents, lambda row: (row, _repeated_id(row)))
        repeated = await self.reads.jobs([it for _, it in repeated_ids if it is not None])
        rows = [
            (row, repeated[it] if it is not None else row)
            for row, it in repeated_ids
            if it is None or it in repeated
        ]
        joined = await self.reads.all_joined([content for _, content in rows])
        if logged is None:
            joined = await self.reads.all_logged(joined)
        else:
            joined = [it._replace(logged=logged.get(it.job["_id"], ())) for it in joined]
        jobs = (
            self._readable_job(row, content, order_exists=order_exists)
            for (row, _), content in zip(rows, joined, strict=True)
        )
        return tuple(job for job in jobs if job is not None)

    async def of_joined(self, jobs: Sequence[StoredJob]) -> tuple[Job, ...]:
        """Return stored jobs that are no aliases; those that can't be read are left out."""
        logged = await self.reads.all_logged(jobs)
        found = (self._readable_job(it.job, it, order_exists=True) for it in logged)
        return tuple(job for job in found if job is not None)

    def _readable_job(
        self, document: Document, content: StoredJob, *, order_exists: bool
    ) -> Job | None:
        try:
            return self._job(document, content, order_exists=order_exists)
        except UnreadableStored as error:
            report(error)
            return None

    def _job(self, document: Document, content: StoredJob, *, order_exists: bool) -> Job:
        """
        Return the job of a document with the *content* of its own, or of the job that it repeats.

        Raises UnreadableStored.
        """
        job_id = stored(JOBS, document, lambda it: field(it, "_id", str))

        def read(found: Document) -> Job:
            order_id = optional(found, "orderId", str)
            return job_of(
                content,
                created_at=self.secrets.issued_at(job_id) or field(found, "at", datetime),
                href=self.urls.job(job_id),
                order_href=self.urls.order(order_id) if order_exists and order_id else None,
            )

        job = stored(JOBS, content.job, read)
        if content.job is document:
            return job
        return job.model_copy(update={"job_id": job_id, "alias_of": content.job["_id"]})


def _repeated_id(document: Document) -> str | None:
    """Return the job that an alias repeats."""
    return optional(document, "aliasOf", str)


def _expired() -> ProblemError:
    return ProblemError("JobExpired", "Jobs are kept for 30 days.")
