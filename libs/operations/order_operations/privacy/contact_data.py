"""Everything that a system knows of one contact, read from its database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from pymongo.database import Database

from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.json_values import Json, json_of
from order_runtime.documents.erasures import id_key
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    AGREEMENTS,
    CONTACTS,
    ENRICHMENTS,
    HELD,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    MERGES,
    ORDERS,
)


def contact_data(address: MongoAddress, contact_id: str) -> Json:
    """Return the documents, by where they are kept; raises OperationFailed."""
    with open_database(address) as database:
        contact = database[CONTACTS].find_one({"keys": id_key(contact_id)})
        links = _links(database, contact_id, contact)
        orders = _found(database, ORDERS, {"_id": {"$in": [it["_id"] for it in links]}})
        deliveries = _found(database, ACTION_DELIVERIES, {"contactId": contact_id})
        jobs = _jobs(database, orders, deliveries)
        job_ids = {"$in": [it["_id"] for it in jobs]}
        of_jobs = {"jobId": job_ids}
        documents = {
            "contact": contact,
            "links": links,
            "orders": orders,
            "jobs": jobs,
            "agreements": _found(database, AGREEMENTS, {"_id": job_ids}),
            "enrichments": _found(database, ENRICHMENTS, {"_id": job_ids}),
            "held": _found(database, HELD, of_jobs),
            "deliveries": [_with_message(it) for it in deliveries],
            "integrationLog": _found(database, INTEGRATION_LOG, of_jobs),
        }
    return {name: json_of(_without_none(part)) for name, part in documents.items()}


def merged_into(address: MongoAddress, contact_id: str) -> str | None:
    """Return the contactId that a contact, which exists, was merged into; None if it wasn't."""
    with open_database(address) as database:
        pointer = database[MERGES].find_one({"ownId": contact_id})
    return pointer.get("intoId") if pointer else None


def identifiers(known: Json, contact_id: str) -> set[str]:
    """Return what identifies the contact: its id, its keys, and the match keys of its orders."""
    keys = (known["contact"] or {}).get("keys", ())
    spelt = {it["order"]["contact"]["matchKey"].strip() for it in known["orders"] if "order" in it}
    return {contact_id.strip(), *(key.partition(":")[2] for key in keys), *spelt}


def shared_keys(database: Database[Any], known: Json) -> set[str]:
    """Return those of the contact's keys that another contact, which exists, carries as well."""
    contact = known["contact"] or {}
    keys = set(contact.get("keys", ()))
    others = {"keys": {"$in": sorted(keys)}, "contactId": {"$ne": contact.get("contactId")}}
    return {
        it for other in database[CONTACTS].find(others) for it in keys.intersection(other["keys"])
    }


def without_shared(identifiers: set[str], keys: set[str]) -> set[str]:
    """Return *identifiers* without these keys, however an order spelt them."""
    shared = {key.partition(":")[2].casefold() for key in keys}
    return {it for it in identifiers if it.casefold() not in shared}


def counts_of(known: Json) -> dict[str, int]:
    """Return how many documents of each collection are known, without what is in them."""
    return {
        name: len(part) if isinstance(part, Collection) and name != "contact" else int(bool(part))
        for name, part in known.items()
    }


def _links(database: Database[Any], contact_id: str, contact: Json | None) -> list[Json]:
    """Return the links to the contact and those that wait for one of its keys."""
    keys = [id_key(contact_id), *(contact or {}).get("keys", ())]
    linked = {"$or": [{"contactId": contact_id}, {"waitsFor": {"$in": keys}}]}
    return _found(database, LINKS, linked)


def _jobs(
    database: Database[Any], orders: Iterable[Json], deliveries: Iterable[Json]
) -> list[Json]:
    """Return the jobs of the orders since their registration, and those of the deliveries."""
    lifetimes = [
        {"orderId": it["_id"], "registration": it["registeredBy"]}
        for it in orders
        if "registeredBy" in it
    ]
    either = [*lifetimes, {"_id": {"$in": [it["jobId"] for it in deliveries]}}]
    return _found(database, JOBS, {"$or": either})


def _found(database: Database[Any], collection: str, where: Json) -> list[Json]:
    return list(database[collection].find(where))


def _with_message(delivery: Json) -> Json:
    """Return a delivery with its record's message as JSON; an older one has it as `body`."""
    value = (delivery.get("record") or {}).get("value")
    if "body" in delivery or value is None:
        return {**delivery, "record": None}
    try:
        message = json.loads(value)
    except ValueError:
        message = value.decode(errors="replace")
    return {**delivery, "record": None, "message": message}


def _without_none(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_none(it) for name, it in value.items() if it is not None}
        case list():
            return [_without_none(it) for it in value]
        case _:
            return value
