"""
Which ledger entry a record already has: a record that has one was applied before. Pure.

Who stores the ledger loads the entries under `job_ids`, then those under `fallback_job_ids`, and
passes both to `fold`, which finds each record's entry with `known_entry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from order_runtime.documents.jobs import LedgerEntry
from order_writer.domain.batch_items import BatchItem


def job_ids(items: Sequence[BatchItem]) -> set[str]:
    """Return the job ids that the records have or, as replays, name."""
    ids = {item.job_id for item in items}
    return ids | {item.replayed_job_id for item in items if item.replayed_job_id is not None}


def fallback_job_ids(items: Sequence[BatchItem], known: Mapping[str, LedgerEntry]) -> set[str]:
    """
    Return the position ids of the records whose id is, in *known*, another command's.

    Each of them may have been refused before, under the id of its position.
    """
    return {
        item.fallback_job_id
        for item in items
        if item.job_id in known and not is_same_command(known[item.job_id], item)
    }


def known_entry(item: BatchItem, known: Mapping[str, LedgerEntry]) -> LedgerEntry | None:
    """Return the entry of this record: as a replay of a failed job, by its id, by its position."""
    failed = known.get(item.replayed_job_id or "")
    if failed is not None and failed.raw == item.bytes_fingerprint:
        return failed
    entry = known.get(item.job_id)
    if entry is None or is_same_command(entry, item):
        return entry
    return known.get(item.fallback_job_id)


def is_same_command(entry: LedgerEntry, item: BatchItem) -> bool:
    """
    Return whether *entry* is of the same command, or was made of the same undecoded bytes.

    The latter finds the entry again after a release that decodes more than the last one.
    """
    return entry.fingerprint == item.fingerprint or (
        entry.raw is not None and entry.raw == item.bytes_fingerprint
    )
