"""Actions as the enricher publishes them, of orders as a shop sends them."""

from __future__ import annotations

from collections.abc import Iterator

from bench.load.orders import order
from support.builders.actions import action_record, order_action
from support.builders.raw_records import RawRecord


def actions(amount: int) -> Iterator[RawRecord]:
    for _ in range(amount):
        body = order()
        order_id = body.pop("orderId")
        record = action_record(order_action(order_id, **body))
        yield RawRecord(record.key, record.value, record.headers)
