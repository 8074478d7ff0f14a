"""From documents to answers: entries of the log, deliveries, and what a check finds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.domain.answer_models import check_result, delivery_state_of, log_entry_of, order_view
from order_contracts.answers import Attempt, Differing, Expected
from order_contracts.decoding import read
from order_contracts.integration_log import log_entry
from order_contracts.order import ActionName, Order
from order_runtime.documents.orders import LiveOrder, order_document
from support.builders.bodies import order_body
from support.builders.validation import parsed

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
DELIVERY = {"_id": "a-1", "jobId": "job-1", "action": "ConfirmOrder", "state": "delivered"}


def test_an_entry_of_the_integration_log_comes_back_as_it_was_written() -> None:
    entry = log_entry("StoreMissing", job_id="job-1", order_id="o-1", at=AT, reference="web")
    document = entry.model_dump(by_alias=True, exclude={"id"}) | {"_id": entry.id}
    assert log_entry_of(document) == entry


def test_a_delivery_shows_its_state_and_its_attempts() -> None:
    attempts = [{"at": AT, "status": 503, "durationMs": 7}, {"at": AT}]
    found = delivery_state_of(DELIVERY | {"attempts": attempts})
    assert (found.action_id, found.job_id, found.state) == ("a-1", "job-1", "delivered")
    assert found.action is ActionName.CONFIRM_ORDER
    assert found.attempts == (Attempt(at=AT, status=503, duration_ms=7), Attempt(at=AT))


def test_a_delivery_that_was_not_tried_has_no_attempts() -> None:
    assert delivery_state_of(DELIVERY).attempts == ()


def test_a_check_tells_what_is_missing_and_what_differs() -> None:
    expected = [
        Expected(order_id="same", version_tag="t1"),
        Expected(order_id="other", version_tag="t1"),
        Expected(order_id="gone", version_tag="t1"),
        Expected(order_id="any"),
        Expected(order_id="gone-any"),
    ]
    result = check_result(expected, {"same": "t1", "other": "t2", "any": "t3"})
    assert result.checked == 5
    assert result.missing == ("gone", "gone-any")
    assert result.differing == (Differing(order_id="other", version_tag="t2"),)


def test_an_order_is_answered_with_the_contact_it_is_linked_to() -> None:
    order = read(Order, parsed(order_body("o-1")))
    live = LiveOrder(
        order=order,
        version=1,
        contact_version=1,
        contact_since=1,
        contact_since_at=AT,
        job_id="job-1",
        registered_by="job-1",
        registered_at=AT,
        updated_at=AT,
    )
    assert order_view(order_document("o-1", live), "c-1") == live.view("c-1")


def test_a_deleted_order_has_no_view() -> None:
    with pytest.raises(TypeError):
        order_view({"_id": "o-1", "version": 2, "deletedAt": AT}, None)
