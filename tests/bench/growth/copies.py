"""Many stored orders without the work of storing them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from bench.growth.growing_stack import Growth
from order_runtime.auth.job_ids import RANDOM_BITS, issue_job_id
from support.builders.bodies import Json


class Copies:
    """
    Stores copies of an order and of all that belongs to it, straight into MongoDB.

    Their ids are as those of real ones: orderIds in no order, jobs in the order of time. Each
    contact has a few of them.
    """

    NAMES: Final[Mapping[str, str]] = {
        "orders": "_id",
        "links": "_id",
        "jobs": "orderId",
        "enrichments": "orderId",
    }
    BLOCK: Final = 5_000

    def __init__(self, growth: Growth) -> None:
        self._database = growth.database
        order = growth.database["orders"].find_one({"deletedAt": {"$exists": False}})
        assert order is not None
        self._pattern = {
            name: growth.database[name].find_one({field: order["_id"]})
            for name, field in self.NAMES.items()
        }

    def store(self, count: int) -> None:
        for first in range(0, count, self.BLOCK):
            size = min(self.BLOCK, count - first)
            ids = [(f"copy-{uuid4().hex}", _job_id()) for _ in range(size)]
            for name, field in self.NAMES.items():
                documents = [self._copy(name, field, *it) for it in ids]
                self._database[name].insert_many(documents, ordered=False)
        self._database.client.admin.command("fsync")  # what follows isn't to pay for it

    def _copy(self, name: str, field: str, order_id: str, job_id: str) -> Json:
        copy: Json = dict(self._pattern[name] or {})
        if field == "orderId":
            return {**copy, "_id": job_id, "orderId": order_id}
        copy |= {"_id": order_id, "jobId": job_id}
        copy |= {"registeredBy": job_id} if "registeredBy" in copy else {}
        contact = f"contact of {order_id[:10]}"
        return copy | ({"contactId": contact} if "contactId" in copy else {})


def _job_id() -> str:
    return issue_job_id(time.time_ns() // 1_000_000, secrets.randbits(RANDOM_BITS), b"copies")
