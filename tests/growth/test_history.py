"""What the history of an order takes in the gateway, however large the order is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import bson
import pytest

from action_trigger.adapters.delivery_store import DeliveryStore
from gateway.adapters.read_store import ReadStore, Where
from gateway.app.job_reader import JobReader
from gateway.app.order_queries import MAX_HISTORY, OrderQueries
from gateway.domain.urls import Urls
from gateway.http.admission import Admission
from order_contracts.order import ActionName
from order_contracts.topics import TRIGGER
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.mongo.client import ACTION_DELIVERIES, JOBS, Document, async_client
from support.builders.actions import ASKED_AT
from support.builders.bodies import unique
from support.growth.profile import Profile
from support.harness.dispatch_harness import now, received_action
from support.harness.migrated_database import migrate_database
from support.stack.running_stack import RunningStack

SHOWN_BYTES = 400  # of a delivery: its ids, its action, its state, and when it was attempted


class WeighingReads(ReadStore):
    """Counts the bytes of what it was sent, by collection."""

    bytes_read: dict[str, int]

    async def find(
        self,
        name: str,
        where: Where,
        sort: Mapping[str, int],
        limit: int,
        fields: Mapping[str, int] | None = None,
    ) -> list[Document]:
        found = await super().find(name, where, sort, limit, fields)
        self.bytes_read[name] = sum(len(bson.encode(it)) for it in found)
        return found


@pytest.mark.parametrize("count", [30, 300, pytest.param(3_000, marks=pytest.mark.faults)])
async def test_a_history_reads_no_order_and_no_more_than_it_shows(
    stack: RunningStack, count: int
) -> None:
    database = unique("history")
    migrate_database(stack.mongo, database, TRIGGER)
    async with async_client(stack.mongo, "test") as client:
        actions = [received_action(12 * it, ActionName.CUSTOM, "o-1") for it in range(count)]
        await DeliveryStore(client, database, b"secret").record(actions, now())
        await client[database][JOBS].insert_one(job("o-1"))
        reads = WeighingReads(client, database, b"")
        reads.bytes_read = {}
        with Profile(stack.mongo, database) as profile:
            history = await queries(reads).history_of("o-1")
        await client.drop_database(database)

    shown = min(count, MAX_HISTORY)
    assert len(history.deliveries) == shown
    assert reads.bytes_read[ACTION_DELIVERIES] <= shown * SHOWN_BYTES
    assert profile.of(ACTION_DELIVERIES).examined == shown


def job(order_id: str) -> dict[str, Any]:
    return {"_id": "job-1", "orderId": order_id, "operation": "RegisterOrder", "at": ASKED_AT}


def queries(reads: ReadStore) -> OrderQueries:
    """Return the queries without the door before them, which the history doesn't go through."""
    urls = Urls("http://127.0.0.1:1")
    jobs = JobReader(reads, urls, JobIdSecrets((b"s" * 32,)))
    return OrderQueries(cast("Admission", None), reads, urls, jobs)
