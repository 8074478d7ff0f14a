"""Accepting a command: recognised as a repeat, or published and acknowledged by Kafka."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import metrics
from gateway.adapters.read_store import ReadStore
from gateway.domain.command_record import Submission, fingerprint_of
from gateway.domain.problem_error import RETRY_SOON, ProblemError
from gateway.domain.request_terms import RequestTerms
from gateway.domain.urls import Urls
from order_contracts.commands import Command, RegisterOrder
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import RANDOM_BITS, JobIdSecrets, issue_job_id
from order_runtime.kafka.publisher import NotAccepted, OutcomeUnknown, Publisher, RecordTooLarge


@dataclass(frozen=True, slots=True)
class CommandAcceptance:
    """Accepts commands, of single requests and of the rows of a bulk alike."""

    publisher: Publisher
    reads: ReadStore
    urls: Urls
    secrets: JobIdSecrets
    signatures: CommandSignatures

    async def earlier_job(self, command: Command, terms: RequestTerms) -> str | None:
        """
        Return the job of the same command under the same Idempotency-Key, if one was applied.

        Raises ProblemError where the key was used for another command. An earlier request that
        isn't applied yet is not found here: then the order-writer makes this one's job an alias.
        """
        if not terms.keys:
            return None
        found = await asyncio.gather(*map(self.reads.first_use, terms.keys))
        first_uses = [first_use for first_use in found if first_use is not None]
        if not first_uses:
            return None
        fingerprint = fingerprint_of(command, terms)
        for first_use in first_uses:
            if first_use.fingerprint == fingerprint:
                return first_use.job_id
        detail = "The Idempotency-Key was used for another request."
        raise ProblemError("IdempotencyKeyReused", detail)

    async def earlier_registration(self, order: RegisterOrder, terms: RequestTerms) -> str | None:
        """Return as `earlier_job` does; raises ProblemError where another job registered it."""
        job_id = await self.earlier_job(order, terms)
        if job_id is not None:
            return job_id
        owner = await self.reads.owner(order.order_id)
        if owner is None:
            return None
        # The order may be this request's own, stored since the first look-up. The order and the
        # key are stored in one transaction: whoever sees the order sees the key as well.
        job_id = await self.earlier_job(order, terms)
        if job_id is None:
            raise self._order_exists(owner)
        return job_id

    def submission(self, command: Command, terms: RequestTerms) -> Submission:
        """Return the command under a new job id, which holds the time at which it was issued."""
        milliseconds = time.time_ns() // 1_000_000
        random = secrets.randbits(RANDOM_BITS)
        job_id = issue_job_id(milliseconds, random, self.secrets.newest_first[0])
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return Submission(job_id, command, at, terms)

    async def publish(self, command: Command, terms: RequestTerms) -> str:
        """Publish a command, wait for the acknowledgement and return its job's id."""
        submission = self.submission(command, terms)
        with metrics.ACK_SECONDS.time():
            await self.acknowledged(submission, self.hand_over(submission))
        return submission.job_id

    def hand_over(self, submission: Submission) -> asyncio.Future[None]:
        """
        Queue a command for Kafka; the future must be passed to `acknowledged`.

        Commands of one order are stored in the order in which they are handed over. Raises
        ProblemError where the queue is full: then nothing is published.
        """
        try:
            return self.publisher.hand_over(self.signatures.signed(submission.record()))
        except NotAccepted:
            detail = "Kafka takes no more; nothing was accepted."
            raise ProblemError("NotAccepted", detail, headers=RETRY_SOON) from None

    async def acknowledged(self, submission: Submission, future: asyncio.Future[None]) -> None:
        """Wait for Kafka; raises ProblemError, which says whether it may still be applied."""
        try:
            await future
        except RecordTooLarge:
            raise ProblemError("TooLarge", "The command is larger than Kafka takes.") from None
        except OutcomeUnknown:
            detail = "Kafka gave no answer in time; the command may still be applied."
            job_id = submission.job_id
            href = self.urls.job(job_id)
            raise ProblemError(
                "OutcomeUnknown", detail, headers=RETRY_SOON, job_id=job_id, href=href
            ) from None
        finally:
            # Its exception refers to this frame: a cycle, in which the command would wait for the
            # garbage collector while Kafka is away.
            del future
        metrics.ACCEPTED.labels(type(submission.command).__name__).inc()

    def _order_exists(self, owner: str) -> ProblemError:
        detail = f"An order with this orderId exists; job {owner} registered it."
        return ProblemError("OrderExists", detail, job_id=owner, href=self.urls.job(owner))
