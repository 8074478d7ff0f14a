"""What grows: the changes of an order, the orders of a contact, all that is stored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench.growth.copies import Copies
from bench.growth.growing_stack import SKU, Growth, Row
from support.builders.bodies import Json, line, order_body
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord, register_record
from support.stack.wait import until

EMAIL: Final = "shared@growth.example"


def order_of(key: str, kind: str, **deviations: Any) -> Json:
    lines = [line(sku=SKU)]
    return order_body(lines=lines, contact={"matchKey": key, "matchKeyType": kind}, **deviations)


def command(kind: str, body: Json) -> RawRecord:
    return register_record(body).with_headers({"ce_type": f"{kind}.v1"})


def contact(contact_id: str, **fields: str) -> RawRecord:
    body = {"contactId": contact_id, **fields}
    return RawRecord(contact_id, json.dumps(body).encode(), {})


def replacements_of_one_order(growth: Growth) -> Iterator[Row]:
    growth.send([contact("c-1")], "reference.contacts")
    growth.settle()
    body = order_of("c-1", "ContactId")
    growth.send([register_record(body)])
    count = growth.scaled(10_000)
    first, last = growth.ends(count, lambda _: command("ReplaceOrder", body), COMMANDS_TOPIC)
    yield Row(f"{count:,} replacements of one order: a replacement", "µs", first, last)


def orders_of_one_contact(growth: Growth) -> Iterator[Row]:
    growth.send([contact("c-2")], "reference.contacts")
    growth.settle()
    count = growth.scaled(20_000)
    first, last = growth.ends(
        count, lambda _: register_record(order_of("c-2", "ContactId")), COMMANDS_TOPIC
    )
    yield Row(f"{count:,} orders of one contact: an order", "µs", first, last)


def contacts_of_one_key(growth: Growth) -> Iterator[Row]:
    count, orders = growth.scaled(10_000), 200

    def named() -> float:
        return growth.cost([register_record(order_of(EMAIL, "Email")) for _ in range(orders)])

    def carriers(first: int, last: int) -> None:
        made = (contact(f"shared-{at}", email=EMAIL) for at in range(first, last))
        growth.send(made, "reference.contacts")
        growth.settle()

    carriers(0, count // 100)
    few = named()
    carriers(count // 100, count)
    yield Row(f"{count:,} contacts of one key: an order that names it", "µs", few, named())
    first, last = growth.ends(
        count // 10, lambda at: contact(f"again-{at}", email=EMAIL), "reference.contacts"
    )
    yield Row(f"{count:,} contacts of one key: one more contact", "µs", first, last)


def orders_waiting_for_one_store(growth: Growth) -> Iterator[Row]:
    growth.send([contact(f"w-{at}") for at in range(1_000)], "reference.contacts")
    growth.settle()
    count = growth.scaled(40_000)
    waiting = (
        register_record(order_of(f"w-{at % 1_000}", "ContactId", externalStoreId="late"))
        for at in range(count)
    )
    growth.send(waiting)
    growth.settle()
    quiet = p99(growth, 20.0, lambda: True)
    growth.refer("stores", "late", {"externalStoreId": "late"})
    until(lambda: waiting_orders(growth) < count, seconds=60, of="healing has begun")
    busy = p99(growth, 600.0, lambda: bool(waiting_orders(growth)))
    what = f"{count:,} orders wait for a store that arrives: p99 to enriched"
    yield Row(f"{what}, at 100 orders/s", "ms", quiet, busy)
    assert waiting_orders(growth) == 0


def waiting_orders(growth: Growth) -> int:
    waits = {"waitsFor": "Store:late"}
    return growth.database["links"].count_documents(waits)


def p99(growth: Growth, seconds: float, while_: Callable[[], bool]) -> float:
    """Publish 100 orders a second for so long; return the 99th percentile to enriched, in ms."""
    began, sent = time.monotonic(), 0
    since, looked = datetime.now(UTC), began
    while True:
        now = time.monotonic()
        if now - began > seconds or (now - looked > 1.0 and not while_()):
            break
        looked = now if now - looked > 1.0 else looked
        due = int((now - began) * 100) - sent
        sent += growth.send(
            register_record(order_of(f"w-{it % 1_000}", "ContactId")) for it in range(due)
        )
        time.sleep(0.01)  # the pace of the load
    growth.settle()
    found = growth.database["enrichments"].find({"acceptedAt": {"$gte": since}})
    took: list[float] = sorted(
        (it["at"] - it["acceptedAt"]) / timedelta(milliseconds=1) for it in found
    )
    assert len(took) >= sent, "every order is enriched"
    return took[int(len(took) * 0.99)]


def stored_orders(growth: Growth) -> Iterator[Row]:
    growth.send([contact("c-3")], "reference.contacts")
    growth.settle()

    def block() -> list[RawRecord]:
        return [register_record(order_of("c-3", "ContactId")) for _ in range(2_000)]

    growth.cost(block())
    copies, few, many = Copies(growth), growth.scaled(10_000), growth.scaled(1_000_000)
    copies.store(few)
    first = growth.cost(block())
    copies.store(many - few)
    yield Row(f"{few:,} and {many:,} stored orders: an order", "µs", first, growth.cost(block()))


SCENARIOS: Final = {
    "replacements": replacements_of_one_order,
    "contact": orders_of_one_contact,
    "key": contacts_of_one_key,
    "store": orders_waiting_for_one_store,
    "stored": stored_orders,
}
