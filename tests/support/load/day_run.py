"""The run of a day on a stack: its orders submitted, and the resulting figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from bson.decimal128 import Decimal128
from pymongo import MongoClient

from support.builders.bodies import Json
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.webhook_receiver import webhook_body

REAL_DAY = Path(__file__).parents[4] / "shared" / "data" / "online-retail-2010-12-01"


@dataclass(frozen=True, slots=True)
class DayRun:
    """The input files of a day, and the stack that processes them."""

    stack: RunningStack
    folder: Path

    @property
    def expected(self) -> Json:
        found: Json = json.loads((self.folder / "expected.json").read_text())
        return found

    @property
    def order_ids(self) -> list[str]:
        rows = (self.folder / "orders.ndjson").read_text().splitlines()
        return [json.loads(row)["orderId"] for row in rows]

    def load(self, *names: str) -> None:
        """Load reference data; returns when the enricher has handled it, with waiting orders."""
        files = [str(self.folder / f"{name}.ndjson") for name in names]
        self.stack.orders("reference", "load", *files)

    def submit(self) -> Json:
        """Register all orders, wait for their jobs, and return the command's summary."""
        orders = str(self.folder / "orders.ndjson")
        done = self.stack.orders("submit", orders, "--wait", "--json")
        summary: Json = json.loads(done.stdout)
        return summary

    @contextmanager
    def database(self) -> Iterator[Any]:
        with MongoClient[dict[str, Any]](self.stack.mongo) as client:
            yield client[self.stack.database]

    def stored(self) -> Json:
        with self.database() as database:
            found = [
                it["order"] for it in database["orders"].find({"_id": {"$in": self.order_ids}})
            ]
        prices = [order["totalPrice"] for order in found]
        assert all(isinstance(price, Decimal128) for price in prices)
        return {
            "orders": len(found),
            "lines": sum(len(order["lineItems"]["items"]) for order in found),
            "sum": sum((price.to_decimal() for price in prices), Decimal()),
        }

    def log(self, **where: Any) -> Json:
        with self.database() as database:
            found = database["integration_log"].find({"orderId": {"$in": self.order_ids}, **where})
            return dict(Counter(row["code"] for row in found))

    def enrichments(self) -> Json:
        with self.database() as database:
            found = database["enrichments"].find({"orderId": {"$in": self.order_ids}})
            return dict(Counter(row["state"] for row in found))

    def delivered(self) -> Json:
        """Return the number of distinct webhooks by action; fails if a signature is wrong."""
        order_ids = set(self.order_ids)
        ours = [
            hook
            for hook in httpx.get(f"{self.stack.receiver}/received", timeout=30).json()
            if webhook_body(hook)["data"]["order"]["orderId"] in order_ids
        ]
        assert all(hook["verified"] for hook in ours)
        once = {
            hook["headers"]["webhook-id"]: webhook_body(hook)["data"]["action"] for hook in ours
        }
        return dict(Counter(once.values()))

    def assert_expected_before_late_contacts(self, summary: Json) -> None:
        expected = self.expected
        assert summary["accepted"] == expected["orders"]
        assert summary["jobs"] == {
            "Completed": expected["jobsCompleted"],
            "CompletedWithErrors": expected["jobsCompletedWithErrors"],
        }
        assert self.stored() == {
            "orders": expected["orders"],
            "lines": expected["lines"],
            "sum": Decimal(expected["sumOfTotalPriceGBP"]),
        }
        assert self.log() == self.expected_log
        assert self.delivered() == expected["actionsDelivered"]

    @property
    def expected_log(self) -> Json:
        return {name.split()[0]: count for name, count in self.expected["integrationLog"].items()}

    def assert_expected_after_late_contacts(self) -> None:
        """Wait for the webhooks, which come last; all other figures must be right by then."""
        expected = self.expected
        all_of = expected["actionsDeliveredAfterLateContacts"]
        until(lambda: self.delivered() == all_of, seconds=60, of="the held actions' webhooks")
        healed = expected["healedByLateContacts"]
        assert self.enrichments() == {
            "done": expected["jobsCompleted"] + healed,
            "contactMissing": expected["jobsCompletedWithErrors"] - healed,
        }
        still = {
            **self.expected_log,
            "ContactMissing": self.expected_log["ContactMissing"] - healed,
        }
        assert self.log(resolvedAt={"$exists": False}) == still
