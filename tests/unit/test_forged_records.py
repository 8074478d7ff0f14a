"""What the nemesis forges passes for a gateway's in all but the signature."""

from __future__ import annotations

from itertools import islice
from random import Random

from order_runtime.kafka.records import Record
from order_writer.domain.batch_items import UnreadableCommand
from order_writer.domain.decode import decode
from support.builders.bodies import order_body
from support.builders.commands import AT
from support.builders.gateway_records import OWN_TOPIC, SECRETS, own
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord, register_record
from support.faults.forged_records import UNREADABLE_VALUES, forged_records


def as_read(sent: RawRecord) -> Record:
    headers = tuple((name, _bytes(text)) for name, text in sent.pairs)
    return Record(COMMANDS_TOPIC, 0, 1, AT, _bytes(sent.key), sent.value, headers)


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def test_no_forgery_can_be_read_and_none_is_a_gateways() -> None:
    """A writer that asked for the source, or for an issued id, would take each for its own."""
    real = own(register_record(order_body()).value)
    copied = RawRecord(real.key, real.value, real.headers)
    forged = list(
        islice(
            forged_records(Random(1), SECRETS.newest_first[0], copied), 2 * len(UNREADABLE_VALUES)
        )
    )

    read = [decode(as_read(forge("o-1")), OWN_TOPIC) for forge in forged]

    assert all(isinstance(it, UnreadableCommand) and not it.from_gateway for it in read)
    assert all(OWN_TOPIC.issued(it.job_id) for it in read)
    assert len({it.job_id for it in read}) == len(UNREADABLE_VALUES) + 1
    assert all(("ce_source", b"/gateway") in it.record.headers for it in read)
