"""What the enricher's healing queue still holds, and the wait until it holds nothing of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from pymongo.database import Database

from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.problems import OperationFailed
from order_runtime.mongo.client import HEALING, Document

POLL_SECONDS: Final = 0.2
Count = Callable[[Database[Document]], int]


def wait_until_healed(address: MongoAddress, seconds: float) -> None:
    """Return when the queue holds nothing of what it holds now; raises OperationFailed."""
    with open_database(address) as database:
        latest = latest_change(database)
    if latest is not None and (left := _wait(address, lambda it: until(it, latest), seconds)):
        raise OperationFailed(
            f"Recorded, but of {left} changes the orders that wait for them are not all healed "
            f"after {seconds:.0f} s. The enricher goes on with them; "
            "`orders reference count` shows how many are left."
        )


def wait_until_erased(address: MongoAddress, contact_id: str, seconds: float) -> int:
    """Return once nothing of the contact is left to erase, or how much is after *seconds*."""
    return _wait(
        address, lambda it: it[HEALING].count_documents({"contactId": contact_id}), seconds
    )


def latest_change(database: Database[Document]) -> datetime | None:
    """Return when the youngest item of the queue was added; None where there is none."""
    found = database[HEALING].find_one({}, {"since": 1}, sort={"since": -1})
    return found["since"] if found else None


def until(database: Database[Document], latest: datetime) -> int:
    """Return the number of items that were added up to *latest*."""
    return database[HEALING].count_documents({"since": {"$lte": latest}})


def _wait(address: MongoAddress, count: Count, seconds: float) -> int:
    """Return 0 as soon as *count* does, else what it returns after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        left = _counted(address, count)
        if left == 0 or (left is not None and time.monotonic() > deadline):
            return left
        if time.monotonic() > deadline:
            raise OperationFailed("MongoDB doesn't answer; the enricher goes on when it does.")
        time.sleep(POLL_SECONDS)


def _counted(address: MongoAddress, count: Count) -> int | None:
    """Return what is left; None while MongoDB doesn't answer."""
    try:
        with open_database(address) as database:
            return count(database)
    except OperationFailed:
        return None
