"""Events and dead letters of the order-writer: who says what about which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from order_contracts.errors import failure
from order_contracts.job import Operation
from order_runtime.documents.jobs import LedgerEntry
from order_writer.domain.events import event_record

REFUSED = LedgerEntry(
    job_id="job-1",
    order_id="o-1",
    operation=Operation.REGISTER,
    fingerprint="",
    at=datetime(2025, 11, 28, 8, tzinfo=UTC),
    failure=failure("OrderExists", "An order with this orderId exists."),
)


def headers_of(entry: LedgerEntry) -> dict[str, str]:
    return {
        name: value.decode() for name, value in event_record(entry, None, b"o-1").headers if value
    }


def test_an_event_names_the_order_writer_and_its_order() -> None:
    headers = headers_of(REFUSED)

    assert (headers["ce_source"], headers["ce_subject"]) == ("/order-writer", "o-1")
    assert headers["ce_type"] == "OrderCommandRejected.v1"


def test_the_event_of_a_record_without_an_order_has_no_subject() -> None:
    assert "ce_subject" not in headers_of(replace(REFUSED, order_id=None))
