"""`orders deliveries`, as far as it needs no stack: what may be asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from order_operations.deliveries.delivery_view import DeliveryFilter, not_replayed
from order_stack.cli.main import app


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("replay",), "Say which"),
        (("replay", "--state", "pending"), "Only failed deliveries"),
        (("replay", "--state", "delivered"), "Only failed deliveries"),
        (("list", "--since", "yesterday"), "is no time"),
        (("list", "--state", "lost"), "A state is one of"),
    ],
)
def test_a_mistake_is_one_sentence(args: tuple[str, ...], said: str) -> None:
    refused = CliRunner().invoke(app, ["deliveries", *args])
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_only_what_is_given_narrows_what_is_found() -> None:
    noon = datetime(2025, 11, 28, 12, tzinfo=UTC)
    assert DeliveryFilter(order="o-1", states=["failed"], since=noon).where() == {
        "orderId": "o-1",
        "state": {"$in": ["failed"]},
        "createdAt": {"$gte": noon},
    }


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"state": "failed"}, None),
        ({"state": "pending", "dueAt": datetime(2025, 11, 28, tzinfo=UTC)}, "it is pending"),
        ({"state": "delivered"}, "--delivered"),
        ({"state": "dropped"}, "it is dropped"),
        ({"state": "failed", "erasedAt": datetime(2025, 11, 28, tzinfo=UTC)}, "erased"),
    ],
)
def test_a_delivery_that_is_not_replayed_has_a_reason(
    document: dict[str, object], reason: str | None
) -> None:
    found = not_replayed({"_id": "a", **document}, ["failed"])
    assert (found is None) if reason is None else (found and reason in found.reason)
