"""What the ledger keeps of a command: whose conflict it was, and which registration it met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.job import Operation
from order_runtime.kafka.records import Record
from order_writer.domain.batch import FoldedBatch, OwnCommandUnreadable, fold
from order_writer.domain.batch_items import UnreadableCommand
from order_writer.domain.decode import decode
from order_writer.domain.events import outgoing_records
from support.builders.commands import (
    TOPIC_INFO,
    change_status,
    command_record,
    delete,
    raw_record,
    register,
    seconds_later,
)


def folded(*records: Record) -> FoldedBatch:
    return fold([decode(each, TOPIC_INFO) for each in records], {}, {})


def keyed(sent: Record, key: str = "k") -> Record:
    return replace(sent, headers=(*sent.headers, ("ce_idempotencykey", key.encode())))


def test_a_key_that_is_used_for_another_command_names_the_job_that_owns_it() -> None:
    """So its sender finds what became of the first."""
    batch = folded(
        keyed(command_record(register(), "job-1")), keyed(command_record(delete(), "job-2"))
    )
    refused = batch.entries[1]
    assert refused.failure is not None
    assert (refused.job_id, refused.failure.code) == ("job-2", "IdempotencyKeyReused")
    assert "belongs to job job-1," in refused.failure.detail
    assert (refused.version, refused.alias_of, refused.registration) == (None, None, None)


def test_a_claim_is_that_of_the_first_command_under_its_key() -> None:
    command = register()
    first = keyed(command_record(command, "job-1", at=seconds_later(3)))
    batch = folded(first, keyed(command_record(command, "job-2", at=seconds_later(4))))
    (claim,) = batch.claims
    assert (claim.key, claim.job_id, claim.at) == ("k", "job-1", seconds_later(3))
    assert claim.fingerprint == decode(first, TOPIC_INFO).fingerprint
    assert batch.entries[1].alias_of == "job-1"


def test_an_id_that_is_another_commands_is_named_in_the_refusal() -> None:
    other = command_record(register("o-2"), "job-1", at=seconds_later(5))
    batch = folded(command_record(register(), "job-1"), other)
    refused = batch.entries[1]
    assert refused.failure is not None
    assert (refused.failure.code, refused.failure.status) == ("IdReused", 409)
    assert "The id job-1 belongs to another command" in refused.failure.detail
    assert (refused.order_id, refused.operation) == ("o-2", Operation.REGISTER)
    (entry,) = batch.log
    assert (entry.job_id, entry.order_id, entry.at) == (refused.job_id, "o-2", seconds_later(5))


def test_unreadable_bytes_under_a_known_id_are_refused_under_that_of_their_position() -> None:
    garbage = raw_record(b"{", job_id="job-1", at=seconds_later(5))
    batch = folded(command_record(register(), "job-1"), garbage)
    refused = batch.entries[1]
    assert refused.job_id == decode(garbage, TOPIC_INFO).fallback_job_id
    assert not refused.decoded
    (entry,) = batch.log
    assert (entry.code, entry.job_id) == ("CommandRejected", refused.job_id)
    assert (entry.order_id, entry.at) == ("o-1", seconds_later(5))


def test_each_command_names_the_registration_that_it_met() -> None:
    """A life of an orderId is known by it: a deletion belongs to the one that it ends."""
    batch = folded(
        command_record(change_status(), "job-0"),
        command_record(register(), "job-1"),
        command_record(change_status(), "job-2"),
        command_record(register(), "job-3"),
        command_record(delete(), "job-4"),
        command_record(register(), "job-5"),
        command_record(change_status(), "job-6"),
    )
    found = {entry.job_id: entry.registration for entry in batch.entries}
    assert found == {
        "job-0": None,
        "job-1": "job-1",
        "job-2": "job-1",
        "job-3": None,
        "job-4": "job-1",
        "job-5": "job-5",
        "job-6": "job-5",
    }


def test_only_orders_that_changed_are_written() -> None:
    batch = folded(command_record(register("o-1"), "job-1"), command_record(delete("o-2"), "job-2"))
    assert (batch.changed, set(batch.orders)) == ({"o-1"}, {"o-1"})
    assert batch.stored == frozenset()


def test_a_warning_is_logged_once_with_its_job() -> None:
    wrong = register(totalPrice=1000)
    batch = folded(command_record(wrong, "job-1", at=seconds_later(2)))
    assert [(it.code, it.job_id, it.at) for it in batch.log] == [
        ("TotalsMismatch", "job-1", seconds_later(2))
    ]
    assert [warning.code for warning in batch.entries[0].warnings] == ["TotalsMismatch"]


def test_the_end_of_a_release_that_reads_too_little_names_the_job() -> None:
    item = decode(raw_record(b"{", job_id="job-1"), TOPIC_INFO)
    assert isinstance(item, UnreadableCommand)
    with pytest.raises(OwnCommandUnreadable) as caught:
        fold([replace(item, from_gateway=True)], {}, {})
    assert caught.value.facts["detail"].startswith("job-1: ")


def test_a_dead_letter_lists_the_places_of_the_errors() -> None:
    """Whoever repairs it reads them in a dashboard."""
    body = register().to_json().replace(b'"InProgress"', b"7").replace(b'"EUR"', b"7")
    letter, _ = outgoing_records(folded(raw_record(body, job_id="job-1")))
    headers = {name: (value or b"").decode() for name, value in letter.headers}
    assert headers["__connect.errors.exception.class.name"] == "ValidationFailed"
    assert headers["__connect.errors.job.id"] == "job-1"
    assert headers["__connect.errors.connector.name"] == "order-writer"
    reason = headers["__connect.errors.exception.message"]
    assert reason.startswith("The command is not valid. /")
    assert "/status " in reason
    assert "; /currencyCode " in reason or "; /status " in reason
