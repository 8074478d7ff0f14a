"""A day of a shop through the whole system: exactly the figures that its makers computed."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from bson.decimal128 import Decimal128
from pymongo import MongoClient

from support.builders import Json
from support.day import day, write
from support.hooks import body_of
from support.stack import RunningStack

REAL_DAY = Path(__file__).parents[3] / "shared" / "data" / "online-retail-2010-12-01"
SEED = 20_101_201

pytestmark = pytest.mark.timeout(180)


def test_a_generated_day_ends_as_its_generator_says(stack: RunningStack, tmp_path: Path) -> None:
    """
    143 invoices of 1 to 592 lines, made from a seed; the same shape as the real day.
    """
    write(day(SEED), tmp_path)

    live_through(stack, tmp_path)


@pytest.mark.skipif(not REAL_DAY.exists(), reason="the real day lies beside the repository in CI")
def test_the_real_day_ends_as_expected(stack: RunningStack) -> None:
    """
    143 invoices, 3,108 lines of a UK shop on 1 December 2010.
    """
    live_through(stack, REAL_DAY)


def live_through(stack: RunningStack, folder: Path) -> None:
    """Load the references, submit the orders, compare everything that came of them."""
    expected = json.loads((folder / "expected.json").read_text())
    orders = [json.loads(row) for row in (folder / "orders.ndjson").read_text().splitlines()]
    references = [str(folder / f"{name}.ndjson") for name in ("contacts", "articles", "stores")]
    stack.orders("reference", "load", *references)

    done = stack.orders("submit", str(folder / "orders.ndjson"), "--wait", "--json")

    summary = json.loads(done.stdout)
    assert summary["accepted"] == expected["orders"]
    assert summary["jobs"] == {
        "Completed": expected["jobsCompleted"],
        "CompletedWithErrors": expected["jobsCompletedWithErrors"],
    }
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        database = client[stack.database]
        ids = [order["orderId"] for order in orders]
        assert stored_figures(database, ids) == {
            "orders": expected["orders"],
            "lines": expected["lines"],
            "sum": Decimal(expected["sumOfTotalPriceGBP"]),
        }
        assert log_figures(database, ids) == {
            name.split()[0]: count for name, count in expected["integrationLog"].items()
        }
    assert delivered(stack, ids) == expected["actionsDelivered"]


def stored_figures(database: Any, ids: list[str]) -> Json:
    found = [row["order"] for row in database["orders"].find({"_id": {"$in": ids}})]
    prices = [order["totalPrice"] for order in found]
    assert all(isinstance(price, Decimal128) for price in prices)
    return {
        "orders": len(found),
        "lines": sum(len(order["lineItems"]["items"]) for order in found),
        "sum": sum((price.to_decimal() for price in prices), Decimal()),
    }


def log_figures(database: Any, ids: list[str]) -> Json:
    return dict(
        Counter(row["code"] for row in database["integration_log"].find({"orderId": {"$in": ids}}))
    )


def delivered(stack: RunningStack, ids: list[str]) -> Json:
    """Return how many webhooks of each action arrived for these orders, every one verified."""
    ours = [
        hook
        for hook in httpx.get(f"{stack.receiver}/received").json()
        if body_of(hook)["data"]["order"]["orderId"] in set(ids)
    ]
    assert all(hook["verified"] for hook in ours)
    once = {hook["headers"]["webhook-id"]: body_of(hook)["data"]["action"] for hook in ours}
    return dict(Counter(once.values()))
