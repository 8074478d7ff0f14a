"""Lists of jobs by status: every page of each, as the pure function of a job's status has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.adapters.read_store import ReadStore
from gateway.app.job_lists import JobListFilter, JobListPage, JobLists
from gateway.domain.pagination import PageRequest, page_request
from order_contracts.errors import failure
from order_contracts.job import Enrichment, JobStatus, Operation
from order_contracts.order import ActionName, ActionRequest
from order_runtime.documents.job_updates import NewEnrichment, enrichment_document
from order_runtime.documents.jobs import (
    LedgerEntry,
    StoredJob,
    entry_document,
    status_of_stored,
)
from order_runtime.mongo.client import CODEC, ENRICHMENTS, JOBS, Document, async_client
from support.builders.bodies import unique
from support.stack.running_stack import RunningStack

URL = "https://orders.example.com/api/v3/orders/jobs"
NOW = datetime.now(UTC).replace(microsecond=0)
ALL = JobListFilter(None, None)


def jobs(count: int) -> Iterator[StoredJob]:
    """Yield jobs of all kinds, three at each second, in some disorder of their ids."""
    states = [None, *Enrichment]
    for number in range(count):
        entry = job_entry(number)
        state = states[number % len(states)]
        document = entry_document(entry)
        if state is None or entry.failure or entry.alias_of:
            yield StoredJob(document)
        elif number % 5:
            order_id = entry.order_id or ""
            new = NewEnrichment(entry.job_id, order_id, entry.version, state, None, entry.at)
            yield StoredJob(document, enrichment_document(new, NOW))
        else:
            yield StoredJob(document | {"enrichment": {"state": str(state), "at": NOW}})


def job_entry(number: int) -> LedgerEntry:
    asks = number % 2 == 1
    entry = LedgerEntry(
        job_id=f"job-{number * 7919 % 1000:03}",
        order_id=f"o-{number % 4}",
        operation=Operation.ACTION if asks else Operation.REGISTER,
        fingerprint="f",
        at=NOW - timedelta(seconds=number // 3),
    )
    if number % 11 == 0:
        return replace(entry, failure=failure("OrderExists", "It exists."))
    if number % 13 == 0:
        return replace(entry, alias_of="job-0")
    action = ActionRequest(action=ActionName.CONFIRM_ORDER)
    return replace(entry, action=action) if asks else replace(entry, version=number)


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[AsyncDatabase[Document]]:
    async with async_client(stack.mongo, "test") as client:
        name = unique("lists")
        yield client.get_database(name, codec_options=CODEC)
        await client.drop_database(name)


@pytest.fixture
async def known(database: AsyncDatabase[Document]) -> list[StoredJob]:
    found = list(jobs(150))
    await database[JOBS].insert_many([it.job for it in found])
    await database[ENRICHMENTS].insert_many([it.enrichment for it in found if it.enrichment])
    return found


def expected(known: list[StoredJob], status: JobStatus, **fields: Any) -> list[str]:
    found = [
        it.job
        for it in known
        if status_of_stored(it) is status
        and "aliasOf" not in it.job
        and all(it.job[name] == value for name, value in fields.items())
    ]
    return [it["_id"] for it in sorted(found, key=lambda it: (it["at"], it["_id"]), reverse=True)]


async def pages(
    lists: JobLists, status: JobStatus, wanted: JobListFilter, asked: PageRequest, rel: str
) -> list[JobListPage]:
    """Follow the links of one direction to their end."""
    found = [await lists.of_status(status, wanted, asked)]
    while links := [link.href for link in found[-1].links if link.rel == rel]:
        query = dict(parse_qsl(urlsplit(links[0]).query))
        following = replace(page_request(query, "at"), count=asked.count)
        found.append(await lists.of_status(status, wanted, following))
    return found


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize("count", [1, 7, 100])
async def test_all_pages_of_a_status_have_its_jobs_in_their_order_forth_and_back(
    database: AsyncDatabase[Document], known: list[StoredJob], status: JobStatus, count: int
) -> None:
    lists = JobLists(ReadStore(database.client, database.name, b""), URL)
    forth = await pages(lists, status, ALL, PageRequest("at", count=count), "next")
    ids = [it.job["_id"] for page in forth for it in page.jobs]
    assert ids == expected(known, status)
    assert all(status_of_stored(it) is status for page in forth for it in page.jobs)
    if len(forth) > 1:
        links = [link.href for link in forth[-1].links if link.rel == "previous"]
        query = dict(parse_qsl(urlsplit(links[0]).query))
        asked = replace(page_request(query, "at"), count=count)
        back = await pages(lists, status, ALL, asked, "previous")
        returned = [it.job["_id"] for page in reversed(back) for it in page.jobs]
        assert returned == ids[: len(returned)]
        assert len(returned) == len(ids) - len(forth[-1].jobs)


@pytest.mark.parametrize("status", JobStatus)
async def test_a_list_may_be_of_one_order_and_of_a_time(
    database: AsyncDatabase[Document], known: list[StoredJob], status: JobStatus
) -> None:
    lists = JobLists(ReadStore(database.client, database.name, b""), URL)
    asked, since = PageRequest("at", count=100), NOW - timedelta(seconds=20)
    of_order = await lists.of_status(status, JobListFilter("o-1", None), asked)
    recent = await lists.of_status(status, JobListFilter("o-1", since), asked)
    ids = expected(known, status, orderId="o-1")
    assert [it.job["_id"] for it in of_order.jobs] == ids
    times = {it.job["_id"]: it.job["at"] for it in known}
    assert [it.job["_id"] for it in recent.jobs] == [it for it in ids if times[it] >= since]


async def test_a_frequent_status_that_is_rare_here_is_looked_for_within_bounds(
    database: AsyncDatabase[Document],
) -> None:
    """The page is empty then, and its link leads on, to the one job behind all those."""
    failed = failure("OrderExists", "It exists.")
    at = NOW - timedelta(hours=1)
    last = entry_document(LedgerEntry("last", "o-1", Operation.DELETE, "f", at, version=1))
    entry = LedgerEntry("", "o-1", Operation.REGISTER, "f", NOW, failure=failed)
    many = [entry_document(replace(entry, job_id=f"job-{it:04}")) for it in range(1_500)]
    await database[JOBS].insert_many([last, *many])
    lists = JobLists(ReadStore(database.client, database.name, b""), URL)

    asked = PageRequest("at", count=10)
    found = await pages(lists, JobStatus.COMPLETED, ALL, asked, "next")

    assert [len(it.jobs) for it in found] == [0, 1]
    assert found[1].jobs[0].job["_id"] == "last"
