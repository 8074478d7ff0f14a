"""What a batch means: each command decided in offset order, each known one recognised. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from order_contracts.errors import failure
from order_contracts.integration_log import LogEntry, log_entry, log_id
from order_contracts.job import Operation
from order_runtime.documents.jobs import Entry
from order_runtime.documents.orders import LiveOrder
from order_writer.domain.decide import Asked, Outcome, State, decide
from order_writer.domain.decode import Decoded, Unreadable, weight

Item = Decoded | Unreadable


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key and the command that came first under it."""

    key: str
    job_id: str
    fingerprint: str
    at: datetime


class OwnCommandUnreadable(Exception):
    """
    A command that our own gateway issued can't be read: this release is bad, not the command.

    Refusing it would lose what was answered 202. Where its job is known already, somebody else
    has sent that id once more: then it is refused like any other.
    """


@dataclass(slots=True)
class Folded:
    """What is to be stored, and what is to be announced, of one batch."""

    orders: dict[str, State]
    """Every order of the batch as it is after it."""
    stored: frozenset[str]
    """The orders that were stored before it, tombstones too."""
    changed: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    """The Idempotency-Keys that were used for the first time."""
    settled_anew: dict[str, Entry] = field(default_factory=dict)
    """The jobs that failed at decoding and that a replay has decided, by id."""
    log: list[LogEntry] = field(default_factory=list)
    resolved: dict[str, datetime] = field(default_factory=dict)
    """The entries of the integration log that no longer hold, by id, and since when."""
    answers: list[tuple[Item, Entry]] = field(default_factory=list)
    """The ledger's entry for each item, in order; of a repeat, the one that was there."""


def fold(
    items: Sequence[Item],
    ledger: Mapping[str, Entry],
    orders: Mapping[str, State],
    claims: Mapping[str, Claim] = MappingProxyType({}),
) -> Folded:
    """
    Decide a batch against what is stored: jobs, orders and Idempotency-Keys by their ids.

    A command whose job is known with its fingerprint was applied before: nothing happens but that
    it is announced again, since a crash may have come between storing and announcing it. The one
    exception is a replay that names the job as which this very record failed at decoding.
    """
    known, claimed = dict(ledger), dict(claims)
    folded = Folded(dict(orders), stored=frozenset(orders))
    for item in items:
        entry = _entry_of(item, known)
        if entry is None:
            entry = _settle(item, known, claimed, folded)
            folded.entries.append(entry)
        elif entry.job_id == item.replays and not entry.decoded:
            entry = _settled_anew(item, entry, claimed, folded)
            folded.settled_anew[entry.job_id] = entry
        known[entry.job_id] = entry
        folded.answers.append((item, entry))
    return folded


def _entry_of(item: Item, known: Mapping[str, Entry]) -> Entry | None:
    """Return the entry that this very command has: as a replay, by its id, by its position."""
    failed = known.get(item.replays or "")
    if failed is not None and failed.raw == item.raw:
        return failed
    entry = known.get(item.job_id)
    if entry is None or is_of(entry, item):
        return entry
    return known.get(item.spare_id)


def is_of(entry: Entry, item: Item) -> bool:
    """Return whether *entry* is that of the same command, or of the same unreadable bytes."""
    return entry.fingerprint == item.fingerprint or (
        entry.raw is not None and entry.raw == item.raw
    )


def _settle(
    item: Item, known: Mapping[str, Entry], claimed: dict[str, Claim], folded: Folded
) -> Entry:
    reused = item.job_id in known
    if isinstance(item, Unreadable):
        if item.own and not reused:
            raise OwnCommandUnreadable(f"{item.job_id}: {item.failure.detail}")
        return _rejected(item, item.spare_id if reused else item.job_id, folded)
    if reused:
        return _reused(item, folded)
    return _decided_once(item, claimed, folded)


def _settled_anew(item: Item, failed: Entry, claimed: dict[str, Claim], folded: Folded) -> Entry:
    """Decide what failed at decoding, under its own job; where it fails again, say why now."""
    if isinstance(item, Unreadable):
        return replace(failed, failure=item.failure)
    folded.resolved[log_id("CommandRejected", failed.job_id)] = item.record.at
    settled = _decided_once(replace(item, job_id=failed.job_id), claimed, folded)
    return replace(settled, raw=failed.raw)


def _decided_once(item: Decoded, claimed: dict[str, Claim], folded: Folded) -> Entry:
    """Decide a command, unless another one under its Idempotency-Key came first."""
    if item.idempotency_key is None:
        return _decided(item, folded)
    first = claimed.get(item.idempotency_key)
    if first is not None:
        return _repeated(item, first)
    claim = Claim(item.idempotency_key, item.job_id, item.fingerprint, item.record.at)
    claimed[claim.key] = claim
    folded.claims.append(claim)
    return _decided(item, folded)


def _repeated(item: Decoded, first: Claim) -> Entry:
    """Return an alias of the first command under the key, or say that the key is taken."""
    if first.fingerprint == item.fingerprint:
        return replace(_entry(item, item.job_id, Outcome()), alias_of=first.job_id)
    detail = f"The Idempotency-Key belongs to job {first.job_id}, which asked for something else."
    return _entry(item, item.job_id, Outcome(failure=failure("IdempotencyKeyReused", detail)))


def _rejected(item: Unreadable, job_id: str, folded: Folded) -> Entry:
    at = item.record.at
    folded.log.append(log_entry("CommandRejected", job_id=job_id, order_id=item.order_id, at=at))
    return Entry(
        job_id=job_id,
        order_id=item.order_id,
        operation=Operation.UNKNOWN,
        fingerprint=item.fingerprint,
        at=at,
        failure=item.failure,
        decoded=False,
        raw=item.raw,
    )


def _reused(item: Decoded, folded: Folded) -> Entry:
    at, job_id = item.record.at, item.spare_id
    folded.log.append(log_entry("IdReused", job_id=job_id, order_id=item.order_id, at=at))
    detail = f"The id {item.job_id} belongs to another command; this one was not applied."
    return _entry(item, job_id, Outcome(failure=failure("IdReused", detail)))


def _decided(item: Decoded, folded: Folded) -> Entry:
    asked = Asked(
        item.command,
        item.job_id,
        weight(item.record),
        item.if_match,
        item.suppress_actions,
        item.meant,
    )
    before = folded.orders.get(item.order_id)
    after, outcome = decide(before, asked, item.record.at)
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


def _registration(before: State, after: State) -> str | None:
    """Return the job that registered the order which a command met, or made."""
    met = after if isinstance(after, LiveOrder) else before
    return met.registered_by if isinstance(met, LiveOrder) else None


def _entry(item: Decoded, job_id: str, outcome: Outcome) -> Entry:
    return Entry(
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
