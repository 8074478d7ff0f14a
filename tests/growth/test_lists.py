"""Lists read by indexes: a page costs what it shows, whatever is stored beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from pymongo.database import Database

from gateway.adapters.read_store import MAX_SCANNED
from order_contracts.integration_log import log_entry
from order_contracts.topics import GATEWAY
from order_runtime.documents.integration_log import log_document
from order_runtime.mongo.client import (
    CODEC,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    ORDERS,
    Document,
    client,
)
from support.builders.bodies import Json, order_body, unique
from support.builders.writer_fixtures import AT, WriterFixture
from support.growth.profile import Profile, Work
from support.harness.migrated_database import migrate_database
from support.stack.async_api_client import AsyncApiClient
from support.stack.extra_gateway import extra_gateway
from support.stack.running_stack import RunningStack

SIZES = [30, 300, pytest.param(3_000, marks=pytest.mark.faults)]
FEW = 5  # of whatever number, that belong to the lists that are read
COUNT = 2
FAR = "2100-01-01T00:00:00Z"
EXPIRING = {INTEGRATION_LOG: "at_1", JOBS: "expireAt_1", ORDERS: "deletedAt_1"}


@dataclass(frozen=True)
class Filled:
    """A database, and the stack with a gateway that reads it."""

    database: Database[Document]
    stack: RunningStack


@dataclass(frozen=True)
class Lists:
    """What is stored, and a client of its gateway."""

    filled: Filled
    calls: AsyncApiClient

    async def cost(self, path: str) -> tuple[list[Json], Work]:
        """Return the items of a list, and what MongoDB did for them."""
        with Profile(self.filled.stack.mongo, self.filled.database.name) as profile:
            answer = await self.calls("GET", path)
        assert answer.status == 200, answer.body
        items: list[Json] = answer.body["items"]
        return items, profile.of()

    async def following(self, path: str) -> str | None:
        return next_of((await self.calls("GET", path)).body)


def next_of(body: Json) -> str | None:
    """Return the path of the next page: links name the address of the stack's own gateway."""
    links = {it["rel"]: it["href"] for it in body["links"]}
    return links["next"].partition("/api/v3")[2] if "next" in links else None


@contextmanager
def own_database(stack: RunningStack) -> Iterator[Database[Document]]:
    name = unique("growth")
    migrate_database(stack.mongo, name, GATEWAY)
    with client(stack.mongo, "test") as mongo:
        database = mongo.get_database(name, codec_options=CODEC)
        for collection, index in EXPIRING.items():  # the documents' times are in the past
            database[collection].drop_index(index)
        yield database
        mongo.drop_database(name)


@contextmanager
def gateway_on(stack: RunningStack, database: Database[Document]) -> Iterator[Filled]:
    with extra_gateway(stack, DATABASE=database.name) as gateway:
        yield Filled(database, replace(stack, gateways=(f"http://127.0.0.1:{gateway.port}",)))


@pytest.fixture(scope="module", params=SIZES)
def filled(request: pytest.FixtureRequest, stack: RunningStack) -> Iterator[Filled]:
    """Few log entries, jobs and orders of a kind among many others."""
    with own_database(stack) as database:
        fill(database, request.param)
        with gateway_on(stack, database) as found:
            yield found


@pytest.fixture
async def lists(filled: Filled) -> AsyncIterator[Lists]:
    async with AsyncApiClient(filled.stack) as calls:
        yield Lists(filled, calls)


def fill(database: Database[Document], count: int) -> None:
    """Store the few between the others: the oldest, the newest, and some in the middle."""
    few = {number * (count - 1) // (FEW - 1) for number in range(FEW)}
    rows: dict[str, list[Document]] = {it: [] for it in (INTEGRATION_LOG, JOBS, ORDERS, LINKS)}
    for number in range(count):
        kind = "few" if number in few else "many"
        rows[INTEGRATION_LOG].append(entry(number, kind))
        order_id = f"{kind}-{number}"
        written = WriterFixture(order_id, at=AT + timedelta(seconds=number)).register(order_body())
        rows[JOBS].append({**written.job, "orderId": kind})
        rows[ORDERS].append(written.order)
        rows[LINKS].append(link(order_id, kind, number))
    for name, documents in rows.items():
        database[name].insert_many(documents)


def entry(number: int, kind: str, order_id: str | None = None) -> Document:
    code = "ActionFailed" if kind == "few" else "StoreMissing"
    at = AT + timedelta(seconds=number)
    reference = f"reference {number}"
    return log_document(
        log_entry(code, job_id=kind, order_id=order_id or kind, at=at, reference=reference)
    )


def link(order_id: str, contact_id: str, number: int) -> Document:
    at = AT + timedelta(seconds=number)
    link = {"_id": order_id, "contactId": contact_id, "contactVersion": 1, "registeredAt": at}
    return {**link, "jobId": "j-1", "missing": []}


LISTS = {
    "/integration-log?": None,
    "/integration-log?since=2025-11-28T10:00:00Z&": None,
    "/integration-log?code=ActionFailed&": FEW,
    "/integration-log?code=ActionFailed&severity=Error&": FEW,
    "/integration-log?code=ActionFailed&severity=Warning&": 0,
    "/integration-log?code=None&": 0,
    "/integration-log?severity=Error&": FEW,
    "/integration-log?severity=Error&since=2025-11-28T10:00:00Z&": FEW,
    f"/integration-log?severity=Error&since={FAR}&": 0,
    "/integration-log?orderId=few&": FEW,
    "/integration-log?orderId=few&since=2025-11-28T10:00:00Z&": FEW,
    "/integration-log?jobId=few&": FEW,
    "/integration-log?jobId=few&orderId=few&": FEW,
    "/integration-log?orderId=few&code=ActionFailed&severity=Error&": FEW,
    "/orders/jobs?": None,
    "/orders/jobs?since=2025-11-28T10:00:00Z&": None,
    "/orders/jobs?orderId=few&": FEW,
    "/orders/jobs?orderId=few&since=2025-11-28T10:00:00Z&": FEW,
    f"/orders/jobs?since={FAR}&": 0,
}
"""Lists, with how many belong to them; None for as many as are stored."""


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_costs_the_rows_that_it_shows_and_one(lists: Lists, path: str) -> None:
    belong = LISTS[path]
    items, work = await lists.cost(f"{path}count={COUNT}")

    assert len(items) == (COUNT if belong != 0 else 0)
    assert work.examined <= len(items) + 1


@pytest.mark.parametrize("path", [it for it, belong in LISTS.items() if belong != 0])
async def test_a_later_page_costs_as_much_as_the_first(lists: Lists, path: str) -> None:
    following = await lists.following(f"{path}count={COUNT}")
    assert following is not None

    items, work = await lists.cost(following)

    assert len(items) == COUNT
    assert work.examined <= COUNT + 1
    assert work.keys <= 6 * COUNT


async def test_the_last_of_what_changed_cost_as_much_as_the_first(lists: Lists) -> None:
    """Whoever reconciles reads all pages: none may begin at the first change again."""
    since, path = quote(AT.isoformat()), "/orders?changedSince="
    _, first = await lists.cost(f"{path}{since}&count={COUNT}")
    last: str | None = f"{path}{since}&count=100"
    while (following := await lists.following(str(last))) is not None:
        last = following

    items, work = await lists.cost(str(last))

    assert items
    assert first.keys <= 4 * (COUNT + 1)
    assert work.keys <= 4 * (len(items) + 1)


@pytest.mark.parametrize("filters", ["", "&status=InProgress", "&createdTo=2100-01-01T00:00:00Z"])
async def test_the_orders_of_a_contact_cost_what_the_contact_has(
    lists: Lists, filters: str
) -> None:
    items, work = await lists.cost(f"/orders?contactId=few&count={COUNT}{filters}")

    assert len(items) == COUNT
    assert work.examined <= 2 * (FEW + 1)


@pytest.fixture(scope="module")
def busy(stack: RunningStack) -> Iterator[Filled]:
    """One order has more entries than one page may look at."""
    count = 2 * MAX_SCANNED + 100
    with own_database(stack) as database:
        kinds = ["few" if it in {50, 1_500, count - 1} else "many" for it in range(count)]
        entries = [entry(it, kind, "busy") for it, kind in enumerate(kinds)]
        database[INTEGRATION_LOG].insert_many(entries)
        with gateway_on(stack, database) as found:
            yield found


@pytest.mark.parametrize(
    "path",
    [
        "/integration-log?orderId=busy&code=ActionFailed&count=2",
        "/integration-log?orderId=busy&severity=Error&count=2",
    ],
)
async def test_a_page_of_few_among_many_ends_before_it_is_full(busy: Filled, path: str) -> None:
    """Each looks at a bounded number of rows, and the links lead to all that belong to the list."""
    found: list[Any] = []
    pages = 0
    following: str | None = path
    async with AsyncApiClient(busy.stack) as calls:
        while following is not None:
            with Profile(busy.stack.mongo, busy.database.name) as profile:
                answer = await calls("GET", following)
            found += answer.body["items"]
            pages += 1
            assert profile.of().examined <= MAX_SCANNED
            following = next_of(answer.body)

    assert len(found) == 3
    assert pages == 3


FREQUENT = "frequent-buyer"


@pytest.fixture(scope="module")
def frequent(stack: RunningStack) -> Iterator[Filled]:
    """One contact has more orders than one page may look at, of which three are Completed."""
    count = MAX_SCANNED + 100
    completed = {50, 500, count - 1}
    with own_database(stack) as database:
        written = WriterFixture("o-1", at=AT).register(order_body())
        for first in range(0, count, 1_000):
            numbers = range(first, min(first + 1_000, count))
            database[ORDERS].insert_many(
                with_status(written.order, it, "Completed" if it in completed else "InProgress")
                for it in numbers
            )
            database[LINKS].insert_many(link(f"o-{it}", FREQUENT, it) for it in numbers)
        with gateway_on(stack, database) as found:
            yield found


def with_status(order: Json, number: int, status: str) -> Json:
    return {**order, "_id": f"o-{number}", "order": {**order["order"], "status": status}}


async def test_a_page_of_a_contacts_filtered_orders_looks_at_a_bounded_number(
    frequent: Filled,
) -> None:
    """Of each, its link and itself; the links lead to all that meet the filter."""
    found: list[Any] = []
    pages = 0
    following: str | None = f"/orders?contactId={FREQUENT}&status=Completed&count=3"
    async with AsyncApiClient(frequent.stack) as calls:
        while following is not None:
            with Profile(frequent.stack.mongo, frequent.database.name) as profile:
                answer = await calls("GET", following)
            assert answer.status == 200, answer.body
            found += answer.body["items"]
            pages += 1
            assert profile.of().examined <= 2 * MAX_SCANNED
            following = next_of(answer.body)

    assert len(found) == 3
    assert pages == 2
