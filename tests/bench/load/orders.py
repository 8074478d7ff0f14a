"""Orders as a shop sends them, of contacts, articles and stores that are known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from confluent_kafka import Producer

from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from support.builders.bodies import Json, line, order_body, unique
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord, register_record

CONTACTS: Final = 1_000
ARTICLES: Final = 1_000
STORES: Final = 10
LINES: Final = 3
_NUMBERS = count()


def order(**deviations: Any) -> Json:
    """Return a new order of three lines, about 1.3 KB of JSON."""
    number = next(_NUMBERS)
    address = {
        "firstname": "Nora",
        "lastname": "Lindqvist",
        "street": f"Storgatan {number % 90}",
        "zipCode": "111 29",
        "city": "Stockholm",
        "countryCode": "SE",
    }
    fields: Json = {
        "contact": {"matchKey": email(number % CONTACTS), "matchKeyType": "Email"},
        "externalStoreId": f"store-{number % STORES}",
        "references": [f"web-{number}"],
        "channel": "Webshop",
        "language": "sv",
        "billingAddress": address,
        "shippingAddress": address,
        "delivery": {"method": "Parcel", "trackingNumber": f"PX{number:010}"},
    }
    return order_body(lines=[_line(number + at) for at in range(LINES)], **(fields | deviations))


def orders(amount: int, **deviations: Any) -> list[Json]:
    return [order(**deviations) for _ in range(amount)]


def confirmed_orders(amount: int) -> list[Json]:
    """Return orders whose storage is to be confirmed to the contact."""
    return orders(amount, orderAction={"action": "ConfirmOrder", "language": "sv"})


def _line(number: int) -> Json:
    sku = f"sku-{number % ARTICLES}"
    return line(sku=sku, articleNumber=sku, description="A mug of stoneware, glazed by hand")


def email(number: int) -> str:
    """Return the address of a known contact."""
    return f"contact-{number}@bench.example"


def commands(bodies: Iterable[Json]) -> Iterator[RawRecord]:
    return (register_record(body) for body in bodies)


class RecordLoad:
    """Publishes records as other systems do."""

    def __init__(self, kafka: KafkaAddress) -> None:
        self._producer = Producer(
            {
                **librdkafka_config(kafka),
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,  # of a broker that ends with the stage
            }
        )

    def send(self, records: Iterable[RawRecord], topic: str = COMMANDS_TOPIC) -> None:
        """Publish *records* and wait until they are acknowledged."""
        for it in records:
            headers = [
                (name, value.encode() if isinstance(value, str) else value)
                for name, value in it.pairs
            ]
            self._producer.produce(topic, key=it.key, value=it.value, headers=headers)
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def send_references(self) -> None:
        """Publish the contacts, articles and stores of the orders."""
        self.send(
            (
                _reference("contactId", f"c-{unique('contact')}", email=email(number))
                for number in range(CONTACTS)
            ),
            "reference.contacts",
        )
        skus = (f"sku-{number}" for number in range(ARTICLES))
        self.send((_reference("sku", sku, articleNumber=sku) for sku in skus), "reference.articles")
        stores = (f"store-{number}" for number in range(STORES))
        self.send((_reference("externalStoreId", it) for it in stores), "reference.stores")


def _reference(name: str, key: str, **fields: str) -> RawRecord:
    return RawRecord(key, json.dumps({name: key, **fields}).encode(), {})
