"""What the enricher knows of contacts, articles and stores, read from its database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymongo.database import Database

from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.json_values import Json, json_of
from order_operations.problems import OperationFailed
from order_runtime.documents.erasures import id_key
from order_runtime.mongo.client import ARTICLES, CONTACTS, HEALING, HELD, LINKS, STORES

COLLECTIONS: Final[Mapping[str, str]] = {
    "contact": CONTACTS,
    "article": ARTICLES,
    "store": STORES,
}


@dataclass(frozen=True, slots=True)
class ReferenceCounts:
    """How many of each are known, and how many orders and held actions wait for more of them."""

    contacts: int
    articles: int
    stores: int
    orders_waiting: int
    actions_held: int
    changes_to_heal: int
    """Changes of reference data whose orders the enricher has yet to look at."""


def reference_counts(address: MongoAddress) -> ReferenceCounts:
    """Count, without what was deleted; raises OperationFailed."""
    with open_database(address) as database:
        return ReferenceCounts(
            contacts=_living(database, CONTACTS),
            articles=_living(database, ARTICLES),
            stores=_living(database, STORES),
            orders_waiting=database[LINKS].count_documents(
                {"waitsFor": {"$exists": True}}, hint="waiting"
            ),
            actions_held=database[HELD].count_documents({"state": "waiting"}),
            changes_to_heal=database[HEALING].estimated_document_count(),
        )


def reference_document(address: MongoAddress, kind: str, identity: str) -> Json:
    """Return what is kept of a contact, article or store; raises OperationFailed for no such."""
    if kind not in COLLECTIONS:
        raise OperationFailed(f"{kind!r} is no kind of reference data: {', '.join(COLLECTIONS)}.")
    where = {"keys": id_key(identity)} if kind == "contact" else {"_id": identity}
    with open_database(address) as database:
        found = database[COLLECTIONS[kind]].find_one(where)
    if found is None:
        raise OperationFailed(f"There is no {kind} {identity!r}.")
    document: Json = json_of(found)
    return document


def _living(database: Database[dict[str, Any]], collection: str) -> int:
    # The deleted are counted: of the others there may be millions, which only an estimate counts.
    deleted = database[collection].count_documents({"deletedAt": {"$exists": True}})
    return database[collection].estimated_document_count() - deleted
