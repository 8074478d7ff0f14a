"""The ledger entry that each outcome of a record becomes. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from order_contracts.errors import failure
from order_contracts.job import JobWarning, Operation
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.orders import LiveOrder
from order_writer.domain.batch_items import DecodedCommand, UnreadableCommand
from order_writer.domain.decide import CommandOutcome, OrderState

MISROUTED: Final = JobWarning(
    code="Misrouted", message="The command was on another partition than its key belongs to."
)


def decided_entry(
    item: DecodedCommand, outcome: CommandOutcome, before: OrderState, after: OrderState
) -> LedgerEntry:
    """Return the entry of a command that was decided, with the registration it belongs to."""
    misrouted = (MISROUTED,) if item.misrouted else ()
    if outcome.failure:
        return _entry(item, item.job_id, outcome, warnings=misrouted)
    warnings = (*misrouted, *outcome.warnings, *item.rounded.warnings())
    registration = _registration(before, after)
    return _entry(item, item.job_id, outcome, registration=registration, warnings=warnings)


def alias_entry(item: DecodedCommand, first_job_id: str) -> LedgerEntry:
    """Return the entry of a command that repeats another one under its Idempotency-Key."""
    return _entry(item, item.job_id, CommandOutcome(), alias_of=first_job_id)


def key_reused_entry(item: DecodedCommand, first_job_id: str) -> LedgerEntry:
    """Return the entry of a command whose Idempotency-Key is that of a different command."""
    detail = f"The Idempotency-Key belongs to job {first_job_id}, which asked for something else."
    return _failed(item, item.job_id, "IdempotencyKeyReused", detail)


def id_reused_entry(item: DecodedCommand) -> LedgerEntry:
    """Return the entry of a command whose id is another command's: under its position's id."""
    detail = f"The id {item.job_id} belongs to another command; this one was not applied."
    return _failed(item, item.fallback_job_id, "IdReused", detail)


def undecoded_entry(item: UnreadableCommand, job_id: str) -> LedgerEntry:
    """Return the entry of a record that can't be read, which a replay may decide later."""
    return LedgerEntry(
        job_id=job_id,
        order_id=item.order_id,
        operation=Operation.UNKNOWN,
        fingerprint=item.fingerprint,
        at=item.record.at,
        failure=item.failure,
        decoded=False,
        raw=item.bytes_fingerprint,
        sender=item.sender,
    )


def unread_entry(job_id: str) -> LedgerEntry:
    """
    Return what stands for the entry of a job that is stored and can't be read.

    It is no command's: its fingerprint is none. Nothing of it is written; where a record has
    nothing else, it is announced as refused.
    """
    return LedgerEntry(
        job_id=job_id,
        order_id=None,
        operation=Operation.UNKNOWN,
        fingerprint="",
        at=datetime.fromtimestamp(0, UTC),
        failure=failure("InternalError", "The job of this command can't be read."),
        decoded=False,
    )


def _registration(before: OrderState, after: OrderState) -> str | None:
    """Return the job that registered the order which the command found, or created."""
    order = after if isinstance(after, LiveOrder) else before
    return order.registered_by if isinstance(order, LiveOrder) else None


def _failed(item: DecodedCommand, job_id: str, code: str, detail: str) -> LedgerEntry:
    return _entry(item, job_id, CommandOutcome(failure=failure(code, detail)))


def _entry(
    item: DecodedCommand,
    job_id: str,
    outcome: CommandOutcome,
    *,
    registration: str | None = None,
    warnings: tuple[JobWarning, ...] = (),
    alias_of: str | None = None,
) -> LedgerEntry:
    return LedgerEntry(
        job_id=job_id,
        order_id=item.order_id,
        operation=item.operation,
        fingerprint=item.fingerprint,
        at=item.record.at,
        version=outcome.version,
        registration=registration,
        failure=outcome.failure,
        action=outcome.action,
        warnings=warnings,
        alias_of=alias_of,
        sender=item.sender,
    )
