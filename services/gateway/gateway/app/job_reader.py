"""Jobs as they are answered, from their documents or, before they are stored, from their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.adapters.read_store import ReadStore
from gateway.domain.problem_error import ProblemError
from gateway.domain.urls import Urls
from order_contracts.job import Job
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import RETENTION, accepted_job, job_of


@dataclass(frozen=True, slots=True)
class JobReader:
    """
    Reads jobs; raises DatabaseUnavailable.

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
        repeated_id = document.get("aliasOf")
        repeated = await self.reads.job(repeated_id) if repeated_id else None
        if repeated_id and repeated is None:
            raise _expired()
        order_id = (repeated or document).get("orderId")
        order_exists = order_id is not None and await self.reads.exists(order_id)
        return self._job(document, repeated, order_exists=order_exists)

    async def of_documents(
        self, documents: Sequence[Document], *, order_exists: bool
    ) -> tuple[Job, ...]:
        """Return stored jobs, without aliases whose job is past retention."""
        repeated_ids = [row["aliasOf"] for row in documents if "aliasOf" in row]
        repeated = await self.reads.jobs(repeated_ids)
        return tuple(
            self._job(row, repeated.get(row.get("aliasOf", "")), order_exists=order_exists)
            for row in documents
            if "aliasOf" not in row or row["aliasOf"] in repeated
        )

    def _job(self, document: Document, repeated: Document | None, *, order_exists: bool) -> Job:
        """Return the job of a document, with the content of the job that it repeats, if any."""
        job_id, content = document["_id"], repeated or document
        order_id = content.get("orderId")
        job = job_of(
            content,
            created_at=self.secrets.issued_at(job_id) or content["at"],
            href=self.urls.job(job_id),
            order_href=self.urls.order(order_id) if order_exists and order_id else None,
        )
        if repeated is None:
            return job
        return job.model_copy(update={"job_id": job_id, "alias_of": repeated["_id"]})


def _expired() -> ProblemError:
    return ProblemError("JobExpired", "Jobs are kept for 30 days.")
