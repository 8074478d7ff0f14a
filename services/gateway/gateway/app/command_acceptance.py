"""Accepting a command: recognised as a repeat, or published and acknowledged by Kafka."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial

from prometheus_client import Counter

from gateway import metrics
from gateway.adapters.read_store import ReadStore
from gateway.domain.command_record import Submission, claim_fingerprints
from gateway.domain.problem_error import RETRY_SOON, ProblemError
from gateway.domain.request_terms import RequestTerms
from gateway.domain.urls import Urls
from order_contracts.commands import Command, RegisterOrder
from order_contracts.rounding import NONE_ROUNDED, Roundings
from order_contracts.topics import COMMANDS
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import RANDOM_BITS, JobIdSecrets, issue_job_id
from order_runtime.kafka.publisher import NotAccepted, OutcomeUnknown, Publisher, RecordTooLarge
from order_runtime.observability.span_attributes import send_name, sent
from order_runtime.observability.tracing import SpanKind, StartedSpan, Tracing


@dataclass(frozen=True, slots=True)
class CommandAcceptance:
    """Accepts commands, of single requests and of the rows of a bulk alike."""

    publisher: Publisher
    reads: ReadStore
    urls: Urls
    secrets: JobIdSecrets
    signatures: CommandSignatures
    tracing: Tracing | None = None

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
        fingerprints = claim_fingerprints(command, terms)
        for first_use in first_uses:
            if first_use.fingerprint in fingerprints:
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

    def submission(
        self, command: Command, terms: RequestTerms, rounded: Roundings = NONE_ROUNDED
    ) -> Submission:
        """Return the command under a new job id, which holds the time at which it was issued."""
        milliseconds = time.time_ns() // 1_000_000
        random = secrets.randbits(RANDOM_BITS)
        job_id = issue_job_id(milliseconds, random, self.secrets.newest_first[0])
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return Submission(job_id, command, at, terms, rounded)

    async def publish(
        self, command: Command, terms: RequestTerms, rounded: Roundings = NONE_ROUNDED
    ) -> str:
        """Publish a command, wait for the acknowledgement and return its job's id."""
        submission = self.submission(command, terms, rounded)
        started = time.perf_counter()
        try:
            await self.acknowledged(submission, self.hand_over(submission))
        finally:
            metrics.ACK_SECONDS.observe(time.perf_counter() - started)
        return submission.job_id

    def hand_over(self, submission: Submission) -> asyncio.Future[None]:
        """
        Queue a command for Kafka; the future must be passed to `acknowledged`.

        Commands of one order are stored in the order in which they are handed over. Raises
        ProblemError where the queue is full: then nothing is published.
        """
        span = self.tracing.followed(submission.terms.traceparent) if self.tracing else None
        if span is not None:
            submission = submission.following(span.traceparent)
        try:
            future = self.publisher.hand_over(self.signatures.signed(submission.record()))
        except NotAccepted:
            detail = "Kafka takes no more; nothing was accepted."
            raise ProblemError("NotAccepted", detail, headers=RETRY_SOON) from None
        if span is not None:
            future.add_done_callback(partial(self._record_sending, span, submission))
        return future

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
        _accepted(type(submission.command)).inc()

    def _record_sending(
        self, span: StartedSpan, submission: Submission, future: asyncio.Future[None]
    ) -> None:
        if self.tracing is None or future.cancelled():
            return
        error, command = future.exception(), submission.command
        ids = {"order_id": command.order_id, "job_id": submission.job_id}
        self.tracing.end(
            span,
            send_name(COMMANDS),
            SpanKind.PRODUCER,
            sent(COMMANDS, message=type(command).__name__, **ids),
            error=type(error).__name__ if error else None,
        )

    def _order_exists(self, owner: str) -> ProblemError:
        detail = f"An order with this orderId exists; job {owner} registered it."
        return ProblemError("OrderExists", detail, job_id=owner, href=self.urls.job(owner))


@cache
def _accepted(model: type[Command]) -> Counter:
    """Return the series of an operation, which takes longer to find than to count in."""
    return metrics.ACCEPTED.labels(model.__name__)
