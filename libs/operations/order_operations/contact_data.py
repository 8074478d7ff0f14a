"""Everything that a stack knows of one contact, read from its database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from bson.decimal128 import Decimal128
from pymongo.database import Database

from order_contracts.values import rfc3339
from order_operations.mongo_client import connect
from order_runtime.documents.erasures import id_key
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    CONTACTS,
    HELD,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    ORDERS,
)
from order_stack.cluster.parts import Stack

Json = dict[str, Any]

SECONDS: Final = 60.0  # for one question to the database


def known_of(stack: Stack, contact_id: str) -> Json:
    """Return all of it, by where it is kept; bytes that say the same again are left out."""
    with connect(stack.mongo, SECONDS) as client:
        database = client[stack.database]
        contact = database[CONTACTS].find_one({"keys": id_key(contact_id)})
        links = _links(database, contact_id, contact)
        orders = _all(database, ORDERS, {"_id": {"$in": [it["_id"] for it in links]}})
        fired = _all(database, ACTION_DELIVERIES, {"contactId": contact_id})
        jobs = _jobs(database, orders, fired)
        ids = [it["_id"] for it in jobs]
        return {
            "contact": plain(contact),
            "links": plain(links),
            "orders": plain(orders),
            "jobs": plain(jobs),
            "held": plain(_all(database, HELD, {"jobId": {"$in": ids}})),
            "deliveries": plain([{**it, "record": None} for it in fired]),
            "integrationLog": plain(_all(database, INTEGRATION_LOG, {"jobId": {"$in": ids}})),
        }


def identifiers(known: Json, contact_id: str) -> set[str]:
    """Return what the contact is found by: its keys, and as its orders spell them."""
    keys = (known["contact"] or {}).get("keys", ())
    spelt = {it["order"]["contact"]["matchKey"].strip() for it in known["orders"] if "order" in it}
    return {contact_id.strip(), *(key.partition(":")[2] for key in keys), *spelt}


def _links(database: Database[Any], contact_id: str, contact: Json | None) -> list[Json]:
    """Return the links to the contact and those that wait for one of its keys."""
    keys = [id_key(contact_id), *(contact or {}).get("keys", ())]
    linked = {"$or": [{"contactId": contact_id}, {"waitsFor": {"$in": keys}}]}
    return _all(database, LINKS, linked)


def _jobs(database: Database[Any], orders: Iterable[Json], fired: Iterable[Json]) -> list[Json]:
    lives = [
        {"orderId": it["_id"], "registration": it["registeredBy"]}
        for it in orders
        if "registeredBy" in it
    ]
    either = [*lives, {"_id": {"$in": [it["jobId"] for it in fired]}}]
    return _all(database, JOBS, {"$or": either})


def _all(database: Database[Any], collection: str, where: Json) -> list[Json]:
    return list(database[collection].find(where))


def plain(value: Any) -> Any:
    """Return a document as JSON can say it; bytes are not shown."""
    match value:
        case dict():
            return {name: plain(it) for name, it in value.items() if it is not None}
        case list():
            return [plain(it) for it in value]
        case datetime():
            return rfc3339(value.replace(tzinfo=UTC))
        case Decimal128() | Decimal():
            return float(str(value))
        case bytes():
            return None
        case _:
            return value


def written(known: Json) -> str:
    return json.dumps(known, indent=2, ensure_ascii=False)


def counted(known: Json) -> dict[str, int]:
    """Return how much is known, without saying what."""
    return {
        name: len(part) if isinstance(part, Collection) and name != "contact" else int(bool(part))
        for name, part in known.items()
    }
