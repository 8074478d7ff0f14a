"""What a stack knows of contacts, articles and stores, read from its database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Table

from order_contracts.values import rfc3339
from order_operations.mongo_client import connect
from order_runtime.documents.erasures import id_key
from order_runtime.mongo.client import ARTICLES, CONTACTS, HELD, LINKS, STORES
from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem

Json = dict[str, Any]

COLLECTIONS: Final = {"contact": CONTACTS, "article": ARTICLES, "store": STORES}


def counts(stack: Stack) -> Json:
    """Return how much is known, and how many orders and actions wait for more."""
    with connect(stack.mongo) as client:
        database = client[stack.database]
        living: Json = {}
        for name in COLLECTIONS.values():
            # Counted by what is kept of the deleted ones: there may be millions of the others.
            deleted = database[name].count_documents({"deletedAt": {"$exists": True}})
            living[name] = database[name].estimated_document_count() - deleted
        waiting = database[LINKS].count_documents({"waitsFor": {"$exists": True}}, hint="waiting")
        held = database[HELD].count_documents({"state": "waiting"})
        return {**living, "ordersWaiting": waiting, "actionsHeld": held}


def shown(stack: Stack, kind: str, identity: str) -> Json:
    """Return what is kept of one; raises StackProblem where it is not known."""
    if kind not in COLLECTIONS:
        raise StackProblem(f"{kind!r} is no kind of reference data: {', '.join(COLLECTIONS)}.")
    where = {"keys": id_key(identity)} if kind == "contact" else {"_id": identity}
    with connect(stack.mongo) as client:
        found: Json | None = client[stack.database][COLLECTIONS[kind]].find_one(where)
    if found is None:
        raise StackProblem(f"There is no {kind} {identity!r}.")
    shown: Json = json.loads(json.dumps(found, default=_time))
    return shown


def table(figures: Json) -> Table:
    made = Table(box=None, show_header=False)
    for name, count in figures.items():
        made.add_row(name, f"{count:>10,}")
    return made


def _time(value: object) -> str:
    """Return a time as it is shown; MongoDB's are in UTC."""
    if not isinstance(value, datetime):
        raise TypeError(type(value).__name__)
    return rfc3339(value.replace(tzinfo=UTC))
