"""What a batch means: each command decided in offset order, each known one recognised. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from order_contracts.errors import failure
from order_contracts.integration_log import LogEntry, log_entry, log_id
from order_contracts.job import Operation
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.orders import LiveOrder
from order_runtime.process.errors import UnrecoverableError
from order_writer.domain.decide import CommandOutcome, CommandRequest, OrderState, decide
from order_writer.domain.decode import DecodedCommand, UnreadableCommand, record_size

BatchItem = DecodedCommand | UnreadableCommand


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """An Idempotency-Key and the command that came first under it."""

    key: str
    job_id: str
    fingerprint: str
    at: datetime


class OwnCommandUnreadable(UnrecoverableError):
    """
    A command that our own gateway issued can't be read: this release is bad, not the command.

    Refusing it would lose what was answered 202. Where its job is known already, somebody else
    has sent that id once more: then it is refused like any other.
    """

    def __init__(self, item: UnreadableCommand) -> None:
        super().__init__(
            "This release can't read a command that our gateway accepted; it stops.",
            detail=f"{item.job_id}: {item.failure.detail}",
        )


@dataclass(slots=True)
class FoldedBatch:
    """What is to be stored, and what is to be announced, of one batch."""

    orders: dict[str, OrderState]
    """Every order of the batch as it is after it."""
    stored: frozenset[str]
    """The orders that were stored before it, tombstones too."""
    changed: set[str] = field(default_factory=set)
    entries: list[LedgerEntry] = field(default_factory=list)
    claims: list[IdempotencyClaim] = field(default_factory=list)
    """The Idempotency-Keys that were used for the first time."""
    redecided: dict[str, LedgerEntry] = field(default_factory=dict)
    """The jobs that failed at decoding and that a replay has decided, by id."""
    log: list[LogEntry] = field(default_factory=list)
    resolved: dict[str, datetime] = field(default_factory=dict)
    """The entries of the integration log that no longer hold, by id, and since when."""
    answers: list[tuple[BatchItem, LedgerEntry]] = field(default_factory=list)
    """The ledger's entry for each item, in order; of a repeat, the one that was there."""


def fold(
    items: Sequence[BatchItem],
    ledger: Mapping[str, LedgerEntry],
    orders: Mapping[str, OrderState],
    claims: Mapping[str, IdempotencyClaim] = MappingProxyType({}),
) -> FoldedBatch:
    """
    Decide a batch against what is stored: jobs, orders and Idempotency-Keys by their ids.

    A command whose job is known with its fingerprint was applied before: nothing happens but that
    it is announced again, since a crash may have come between storing and announcing it. The one
    exception is a replay that names the job as which this very record failed at decoding.
    """
    known, claimed = dict(ledger), dict(claims)
    folded = FoldedBatch(dict(orders), stored=frozenset(orders))
    for item in items:
        entry = _entry_of(item, known)
        if entry is None:
            entry = _settle(item, known, claimed, folded)
            folded.entries.append(entry)
        elif entry.job_id == item.replays and not entry.decoded:
            entry = _redecided(item, entry, claimed, folded)
            folded.redecided[entry.job_id] = entry
        known[entry.job_id] = entry
        folded.answers.append((item, entry))
    return folded


def _entry_of(item: BatchItem, known: Mapping[str, LedgerEntry]) -> LedgerEntry | None:
    """Return the entry that this very command has: as a replay, by its id, by its position."""
    failed = known.get(item.replays or "")
    if failed is not None and failed.raw == item.raw:
        return failed
    entry = known.get(item.job_id)
    if entry is None or is_same_command(entry, item):
        return entry
    return known.get(item.fallback_job_id)


def is_same_command(entry: LedgerEntry, item: BatchItem) -> bool:
    """Return whether *entry* is that of the same command, or of the same unreadable bytes."""
    return entry.fingerprint == item.fingerprint or (
        entry.raw is not None and entry.raw == item.raw
    )


def _settle(
    item: BatchItem,
    known: Mapping[str, LedgerEntry],
    claimed: dict[str, IdempotencyClaim],
    folded: FoldedBatch,
) -> LedgerEntry:
    reused = item.job_id in known
    if isinstance(item, UnreadableCommand):
        if item.own and not reused:
            raise OwnCommandUnreadable(item)
        return _rejected(item, item.fallback_job_id if reused else item.job_id, folded)
    if reused:
        return _reused(item, folded)
    return _decided_once(item, claimed, folded)


def _redecided(
    item: BatchItem, failed: LedgerEntry, claimed: dict[str, IdempotencyClaim], folded: FoldedBatch
) -> LedgerEntry:
    """Decide what failed at decoding, under its own job; where it fails again, say why now."""
    if isinstance(item, UnreadableCommand):
        return replace(failed, failure=item.failure)
    folded.resolved[log_id("CommandRejected", failed.job_id)] = item.record.at
    settled = _decided_once(replace(item, job_id=failed.job_id), claimed, folded)
    return replace(settled, raw=failed.raw)


def _decided_once(
    item: DecodedCommand, claimed: dict[str, IdempotencyClaim], folded: FoldedBatch
) -> LedgerEntry:
    """Decide a command, unless another one under its Idempotency-Key came first."""
    if item.idempotency_key is None:
        return _decided(item, folded)
    first = claimed.get(item.idempotency_key)
    if first is not None:
        return _repeated(item, first)
    claim = IdempotencyClaim(item.idempotency_key, item.job_id, item.fingerprint, item.record.at)
    claimed[claim.key] = claim
    folded.claims.append(claim)
    return _decided(item, folded)


def _repeated(item: DecodedCommand, first: IdempotencyClaim) -> LedgerEntry:
    """Return an alias of the first command under the key, or say that the key is taken."""
    if first.fingerprint == item.fingerprint:
        return replace(_entry(item, item.job_id, CommandOutcome()), alias_of=first.job_id)
    detail = f"The Idempotency-Key belongs to job {first.job_id}, which asked for something else."
    return _entry(
        item, item.job_id, CommandOutcome(failure=failure("IdempotencyKeyReused", detail))
    )


def _rejected(item: UnreadableCommand, job_id: str, folded: FoldedBatch) -> LedgerEntry:
    at = item.record.at
    folded.log.append(log_entry("CommandRejected", job_id=job_id, order_id=item.order_id, at=at))
    return LedgerEntry(
        job_id=job_id,
        order_id=item.order_id,
        operation=Operation.UNKNOWN,
        fingerprint=item.fingerprint,
        at=at,
        failure=item.failure,
        decoded=False,
        raw=item.raw,
    )


def _reused(item: DecodedCommand, folded: FoldedBatch) -> LedgerEntry:
    at, job_id = item.record.at, item.fallback_job_id
    folded.log.append(log_entry("IdReused", job_id=job_id, order_id=item.order_id, at=at))
    detail = f"The id {item.job_id} belongs to another command; this one was not applied."
    return _entry(item, job_id, CommandOutcome(failure=failure("IdReused", detail)))


def _decided(item: DecodedCommand, folded: FoldedBatch) -> LedgerEntry:
    request = CommandRequest(
        item.command,
        item.job_id,
        record_size(item.record),
        item.if_match,
        item.suppress_actions,
        item.guard,
    )
    before = folded.orders.get(item.order_id)
    after, outcome = decide(before, request, item.record.at)
    if after is not before:
        folded.orders[item.order_id] = after
        folded.changed.add(item.order_id)
    codes = [warning.code for warning in outcome.warnings] + ["Misrouted"] * item.misrouted
    folded.log.extend(
        log_entry(code, job_id=item.job_id, order_id=item.order_id, at=item.record.at)
        for code in codes
    )
    entry = _entry(item, item.job_id, outcome)
    return entry if outcome.failure else replace(entry, registration=_registration(before, after))


def _registration(before: OrderState, after: OrderState) -> str | None:
    """Return the job that registered the order which a command met, or made."""
    met = after if isinstance(after, LiveOrder) else before
    return met.registered_by if isinstance(met, LiveOrder) else None


def _entry(item: DecodedCommand, job_id: str, outcome: CommandOutcome) -> LedgerEntry:
    return LedgerEntry(
        job_id=job_id,
        order_id=item.order_id,
        operation=item.operation,
        fingerprint=item.fingerprint,
        at=item.record.at,
        version=outcome.version,
        failure=outcome.failure,
        action=outcome.action,
        warnings=outcome.warnings,
    )
