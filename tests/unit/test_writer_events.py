"""Events and dead letters of the order-writer: who says what about which order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from order_contracts.decoding import read
from order_contracts.errors import FieldError, failure
from order_contracts.job import Operation
from order_contracts.order import ActionRequest
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.order_events import order_event
from order_runtime.documents.orders import LiveOrder, Tombstone
from order_runtime.kafka.records import Outgoing
from order_writer.domain.batch import FoldedBatch, fold
from order_writer.domain.decode import decode
from order_writer.domain.events import outgoing_records
from support.builders.commands import AT, TOPIC_INFO, command_record, register

REFUSED = LedgerEntry(
    job_id="job-1",
    order_id="o-1",
    operation=Operation.REGISTER,
    fingerprint="",
    at=datetime(2025, 11, 28, 8, tzinfo=UTC),
    failure=failure("OrderExists", "An order with this orderId exists."),
)


def event_of(entry: LedgerEntry, state: LiveOrder | Tombstone | None = None) -> Outgoing:
    """Return the event of *entry*, of an order that is in this *state* after its batch."""
    item = decode(command_record(register()), TOPIC_INFO)
    folded = FoldedBatch({"o-1": state}, frozenset(), answers=[(item, entry)])
    (event,) = outgoing_records(folded)
    return event


def headers_of(entry: LedgerEntry) -> dict[str, str]:
    return {name: value.decode() for name, value in event_of(entry).headers if value}


def test_an_event_names_the_order_writer_and_its_order() -> None:
    headers = headers_of(REFUSED)

    assert (headers["ce_source"], headers["ce_subject"]) == ("/order-writer", "o-1")
    assert headers["ce_type"] == "OrderCommandRejected.v1"


def test_the_event_of_a_record_without_an_order_has_no_subject() -> None:
    assert "ce_subject" not in headers_of(replace(REFUSED, order_id=None))


REGISTERED = replace(REFUSED, version=7, registration="job-1", failure=None)
ACTION = {"action": "Custom", "language": "sv", "data": {"big": 10**25, "text": 'å " \U0001f600'}}
INVALID = FieldError(pointer="/a", code="Invalid", message="Must not")


def live_order() -> LiveOrder:
    sent = command_record(register(extraData={"a": [1, 10**25]}, lastChangedAt=AT.isoformat()))
    state = fold([decode(sent, TOPIC_INFO)], {}, {}).orders["o-1"]
    assert isinstance(state, LiveOrder)
    return state


@pytest.mark.parametrize(
    "entry",
    [
        REFUSED,
        REGISTERED,
        replace(REGISTERED, action=read(ActionRequest, ACTION)),
        replace(REFUSED, order_id=None, failure=failure("TooLarge", 'A "quote".', [INVALID])),
    ],
)
@pytest.mark.parametrize("state", [None, Tombstone(9, AT), live_order()])
def test_an_event_is_the_json_of_its_model(
    entry: LedgerEntry, state: LiveOrder | Tombstone | None
) -> None:
    """Its JSON is put together of parts, which costs less than to make the model and write it."""
    written = event_of(entry, state).value or b""
    expected = order_event(entry, state if entry.order_id else None).to_json()
    assert in_their_order(written) == in_their_order(expected)


def in_their_order(text: bytes) -> list[tuple[str, Any]]:
    """Return the members of an object in the order in which they are written."""
    return list(json.loads(text).items())
