"""Accepting a command: published and acknowledged first, answered 202 only then."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from gateway import metrics
from gateway.adapters.read_store import DatabaseUnavailable, ReadStore
from gateway.app.job_waiter import JobWaiter
from gateway.app.jobs import JobQueries, job_response
from gateway.domain.command_record import Submission, fingerprint_of
from gateway.domain.request_terms import RequestTerms
from gateway.domain.urls import Urls
from gateway.http.problems import ProblemError
from gateway.http.responses import RETRY_SOON, json_response
from order_contracts.commands import Command
from order_contracts.decoding import UnreadableDocument
from order_contracts.job import Job, JobStatus
from order_contracts.problem import Receipt
from order_runtime.auth.job_ids import RANDOM_BITS, JobIdSecrets, issue_job_id
from order_runtime.kafka.publisher import NotAccepted, OutcomeUnknown, Publisher, RecordTooLarge


@dataclass(frozen=True, slots=True)
class CommandAcceptance:
    """Hands commands to Kafka and answers for them."""

    publisher: Publisher
    reads: ReadStore
    urls: Urls
    secrets: JobIdSecrets
    waiting: JobWaiter
    jobs: JobQueries

    async def accept(self, command: Command, terms: RequestTerms, first: str | None) -> Response:
        """Answer for *first*, the job of the same request before, else publish the command."""
        job_id = first
        if job_id is None:
            submission = self.submission(command, terms)
            await self.publish(submission)
            job_id = submission.job_id
        return await self.answer(job_id, command.order_id, terms)

    async def first_under(
        self, command: Command, terms: RequestTerms, *, suppress: bool = False
    ) -> str | None:
        """
        Return the job that came first under the Idempotency-Key, if any.

        Raises Refused where it asked for something else. A first one that isn't applied yet is
        not seen here: then the order-writer makes the retry's job an alias of it.
        """
        if terms.idempotency_key is None:
            return None
        claim = await self.reads.claim(terms.idempotency_key)
        if claim is None:
            return None
        if claim["fingerprint"] != fingerprint_of(command, terms, suppress=suppress):
            detail = "The Idempotency-Key was used for another request."
            raise ProblemError("IdempotencyKeyReused", detail)
        job_id: str = claim["jobId"]
        return job_id

    def submission(
        self, command: Command, terms: RequestTerms, *, suppress: bool = False
    ) -> Submission:
        """Return the command under a new job id, which says when it was issued."""
        milliseconds = time.time_ns() // 1_000_000
        job_id = issue_job_id(
            milliseconds, secrets.randbits(RANDOM_BITS), self.secrets.newest_first[0]
        )
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return Submission(job_id, command, at, terms, suppress)

    async def publish(self, submission: Submission) -> None:
        """Publish a command; raises Refused, which says whether it may still be applied."""
        try:
            with metrics.ACK_SECONDS.time():
                await self.publisher.publish(submission.record())
        except NotAccepted:
            detail = "Kafka takes no more; nothing was accepted."
            raise ProblemError("NotAccepted", detail, headers=RETRY_SOON) from None
        except RecordTooLarge:
            raise ProblemError("TooLarge", "The command is larger than Kafka takes.") from None
        except OutcomeUnknown:
            detail = "Kafka gave no answer in time; the command may still be applied."
            job_id = submission.job_id
            href = self.urls.job(job_id)
            raise ProblemError(
                "OutcomeUnknown", detail, headers=RETRY_SOON, job_id=job_id, href=href
            ) from None
        metrics.ACCEPTED.labels(type(submission.command).__name__).inc()

    async def answer(self, job_id: str, order_id: str, terms: RequestTerms) -> Response:
        """Answer 202, or the job where the caller prefers to wait and it is stored in time."""
        job = await self._waited_for(job_id, terms.wait) if terms.wait else None
        if job is not None:
            assert job.status is not JobStatus.ACCEPTED  # noqa: S101  a stored job has an end
            applied = {"Preference-Applied": f"wait={terms.wait}", "Location": job.href}
            return job_response(job, applied)
        href = self.urls.job(job_id)
        receipt = Receipt(job_id=job_id, order_id=order_id, href=href)
        return json_response(receipt, 202, {"Location": href, **RETRY_SOON})

    async def _waited_for(self, job_id: str, seconds: float) -> Job | None:
        """Return the job once it is stored; None where it isn't in time, or nobody can tell."""
        document = await self.waiting.stored(job_id, seconds)
        if document is None:
            return None
        # What was accepted stays so, whatever its job has come to since.
        with suppress(DatabaseUnavailable, UnreadableDocument, ProblemError):
            return await self.jobs.stored(document)
        return None
