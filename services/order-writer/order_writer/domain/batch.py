"""A batch of commands folded over what is stored: each decided in offset order, once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from order_contracts.integration_log import LogEntry, log_entry, log_id
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.process.errors import UnrecoverableError
from order_writer.domain.batch_items import BatchItem, DecodedCommand, UnreadableCommand
from order_writer.domain.decide import CommandRequest, OrderState, decide
from order_writer.domain.ledger_entries import (
    MISROUTED,
    alias_entry,
    decided_entry,
    id_reused_entry,
    key_reused_entry,
    undecoded_entry,
)
from order_writer.domain.ledger_lookup import known_entry
from order_writer.domain.record_ids import record_size


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """An Idempotency-Key and the first command that came with it."""

    key: str
    job_id: str
    fingerprint: str
    at: datetime


class OwnCommandUnreadable(UnrecoverableError):
    """
    A command that our gateway made can't be read: this release is at fault, not the command.

    Refusing it would lose a command that was answered 202. Where its job exists already, the
    record is a repeat, and is refused like any other.
    """

    def __init__(self, item: UnreadableCommand) -> None:
        super().__init__(
            "This release can't read a command that our gateway accepted; it stops.",
            detail=f"{item.job_id}: {item.failure.detail}",
        )


class BatchTooLarge(Exception):
    """The commands and the orders that they change are more than one transaction should carry."""


@dataclass(slots=True)
class FoldedBatch:
    """What one batch stores and announces."""

    orders: dict[str, OrderState]
    """Every order of the batch, in its state after the batch."""
    stored: frozenset[str]
    """The orders that have a document already, tombstones among them."""
    changed: set[str] = field(default_factory=set)
    """The orders to write."""
    entries: list[LedgerEntry] = field(default_factory=list)
    """The jobs to insert."""
    claims: list[IdempotencyClaim] = field(default_factory=list)
    """The Idempotency-Keys to insert."""
    redecided: dict[str, LedgerEntry] = field(default_factory=dict)
    """The jobs to replace, by id: they failed at decoding, and a replay was decided."""
    log: list[LogEntry] = field(default_factory=list)
    """The entries of the integration log to write."""
    resolved: dict[str, datetime] = field(default_factory=dict)
    """The entries of the integration log that are resolved, by id, and since when."""
    answers: list[tuple[BatchItem, LedgerEntry]] = field(default_factory=list)
    """The ledger's entry for each record, in order; for a repeat, the entry that was stored."""


def fold(
    items: Sequence[BatchItem],
    ledger: Mapping[str, LedgerEntry],
    orders: Mapping[str, OrderState],
    claims: Mapping[str, IdempotencyClaim] = MappingProxyType({}),
) -> FoldedBatch:
    """
    Decide *items* in order, against the stored jobs, orders and Idempotency-Keys by their ids.

    A record whose job is in the ledger was applied before. It changes nothing, but is among the
    answers, because the process may have crashed before it announced the outcome. The exception
    is a replay of a job that failed at decoding: the record is decided, and replaces that job.

    Raises OwnCommandUnreadable.
    """
    known, claimed = dict(ledger), dict(claims)
    folded = FoldedBatch(dict(orders), stored=frozenset(orders))
    for item in items:
        entry = known_entry(item, known)
        if entry is None:
            entry = _first_entry(item, known, claimed, folded)
            folded.entries.append(entry)
        elif entry.job_id == item.replayed_job_id and not entry.decoded:
            entry = _redecide(item, entry, claimed, folded)
            folded.redecided[entry.job_id] = entry
        known[entry.job_id] = entry
        folded.answers.append((item, entry))
    return folded


def _first_entry(
    item: BatchItem,
    known: Mapping[str, LedgerEntry],
    claimed: dict[str, IdempotencyClaim],
    folded: FoldedBatch,
) -> LedgerEntry:
    id_taken = item.job_id in known
    if isinstance(item, UnreadableCommand):
        if item.from_gateway and not id_taken:
            raise OwnCommandUnreadable(item)
        job_id = item.fallback_job_id if id_taken else item.job_id
        return _logged("CommandRejected", undecoded_entry(item, job_id), item, folded)
    if id_taken:
        return _logged("IdReused", id_reused_entry(item), item, folded)
    return _decide_once(item, claimed, folded)


def _redecide(
    item: BatchItem, failed: LedgerEntry, claimed: dict[str, IdempotencyClaim], folded: FoldedBatch
) -> LedgerEntry:
    """Decide the replay of a job that failed at decoding, under that job's id."""
    if isinstance(item, UnreadableCommand):
        return replace(failed, failure=item.failure)
    folded.resolved[log_id("CommandRejected", failed.job_id)] = item.record.at
    entry = _decide_once(replace(item, job_id=failed.job_id), claimed, folded)
    return replace(entry, raw=failed.raw)


def _decide_once(
    item: DecodedCommand, claimed: dict[str, IdempotencyClaim], folded: FoldedBatch
) -> LedgerEntry:
    """Decide a command, unless one of its Idempotency-Keys belongs to an earlier one."""
    earlier = [claimed[key] for key in item.idempotency_keys if key in claimed]
    prints = {item.fingerprint, item.earlier_fingerprint}
    same = next((claim for claim in earlier if claim.fingerprint in prints), None)
    if earlier and same is None:
        return key_reused_entry(item, earlier[0].job_id)
    _claim_keys(item, same, claimed, folded)
    return alias_entry(item, same.job_id) if same is not None else _decide(item, folded)


def _claim_keys(
    item: DecodedCommand,
    same: IdempotencyClaim | None,
    claimed: dict[str, IdempotencyClaim],
    folded: FoldedBatch,
) -> None:
    """Claim those keys of a command that are free for its job, or for that of the *same* one."""
    job_id = item.job_id if same is None else same.job_id
    for key in item.idempotency_keys:
        if key not in claimed:
            claim = IdempotencyClaim(key, job_id, item.fingerprint, item.record.at)
            claimed[key] = claim
            folded.claims.append(claim)


def _decide(item: DecodedCommand, folded: FoldedBatch) -> LedgerEntry:
    before = folded.orders.get(item.order_id)
    after, outcome = decide(before, _request(item), item.record.at)
    if after is not before:
        folded.orders[item.order_id] = after
        folded.changed.add(item.order_id)
    entry = decided_entry(item, outcome, before, after)
    if item.misrouted:
        _logged(MISROUTED.code, entry, item, folded)
    for warning in outcome.warnings:
        _logged(warning.code, entry, item, folded)
    return entry


def _request(item: DecodedCommand) -> CommandRequest:
    return CommandRequest(
        item.command,
        item.job_id,
        record_size(item.record),
        item.if_match,
        item.suppress_actions,
        item.guard,
    )


def _logged(code: str, entry: LedgerEntry, item: BatchItem, folded: FoldedBatch) -> LedgerEntry:
    """Return *entry*, with an entry of the integration log about it among those to write."""
    about = log_entry(code, job_id=entry.job_id, order_id=entry.order_id, at=entry.at)
    folded.log.append(about.model_copy(update=item.sender.fields()))
    return entry
