"""What lists by status and the sweep cost doesn't grow with the jobs that are stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.adapters.read_store import ReadStore
from gateway.app.job_lists import JobListFilter, JobLists
from gateway.domain.pagination import Cursor, PageRequest
from order_contracts.errors import failure
from order_contracts.job import Enrichment, JobStatus, Operation
from order_contracts.topics import GATEWAY
from order_runtime.documents.job_updates import NewEnrichment, enrichment_document
from order_runtime.documents.jobs import LedgerEntry, entry_document
from order_runtime.mongo.client import (
    CODEC,
    ENRICHMENTS,
    JOBS,
    UNFINISHED_JOBS,
    Document,
    async_client,
)
from support.builders.bodies import unique
from support.builders.writer_fixtures import AT, WriterFixture, read_back
from support.growth.profile import Profile, Work
from support.harness.enricher_harness import (
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.harness.migrated_database import migrate_database
from support.stack.running_stack import RunningStack

SIZES = (30, 300, 3_000)
NOW = datetime.now(UTC).replace(microsecond=0)
RARE = 12  # jobs of each rare status
FOUND = 5
READ = (JOBS, ENRICHMENTS)


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[AsyncDatabase[Document]]:
    async with async_client(stack.mongo, "test") as client:
        name = unique("growth")
        await asyncio.to_thread(migrate_database, stack.mongo, name, GATEWAY)
        yield client.get_database(name, codec_options=CODEC)
        await client.drop_database(name)


async def store(database: AsyncDatabase[Document], first: int, last: int, *, rare: bool) -> None:
    """Store jobs of one order, all Completed, or Failed and CompletedWithErrors by turns."""
    jobs: list[Document] = []
    enrichments: list[Document] = []
    for number in range(first, last):
        fails = rare and number % 2 == 0
        state = Enrichment.CONTACT_MISSING if rare else Enrichment.DONE
        job_id, at = f"job-{rare}-{number}", NOW - timedelta(seconds=number)
        why = failure("OrderExists", "It exists.") if fails else None
        entry = LedgerEntry(job_id, "o-1", Operation.REGISTER, "f", at, number, None, why)
        jobs.append(entry_document(entry))
        if not fails:
            new = NewEnrichment(job_id, "o-1", number, state, None, at)
            enrichments.append(enrichment_document(new, NOW))
    await database[JOBS].insert_many(jobs)
    await database[ENRICHMENTS].insert_many(enrichments)


@pytest.mark.parametrize("order_id", [None, "o-1"])
@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.COMPLETED_WITH_ERRORS])
async def test_a_list_of_a_rare_status_examines_about_what_it_returns(
    database: AsyncDatabase[Document], stack: RunningStack, status: JobStatus, order_id: str | None
) -> None:
    """However many others there are, of the same order or not; also in the middle of the list."""
    lists = JobLists(ReadStore(database.client, database.name, b""), "https://o")
    middle = Cursor(NOW - timedelta(seconds=RARE // 2), "~")
    await store(database, 0, RARE, rare=True)
    stored, examined = 0, []
    for size in SIZES:
        await store(database, stored, size, rare=False)
        stored = size
        with Profile(stack.mongo, database.name) as profile:
            wanted = JobListFilter(order_id, None)
            for cursor in (None, middle):
                asked = PageRequest("at", count=FOUND - 2, cursor=cursor)
                page = await lists.of_status(status, wanted, asked)
                assert page.jobs
        examined.append(profile.of(*READ).examined)
    assert examined[0] == examined[1] == examined[2]
    assert examined[0] <= 2 * 4 * FOUND


async def test_a_list_of_a_frequent_status_examines_about_what_it_returns(
    database: AsyncDatabase[Document], stack: RunningStack
) -> None:
    lists = JobLists(ReadStore(database.client, database.name, b""), "https://o")
    stored, examined = 0, []
    for size in SIZES:
        await store(database, stored, size, rare=False)
        stored = size
        with Profile(stack.mongo, database.name) as profile:
            asked = PageRequest("at", count=FOUND - 1)
            await lists.of_status(JobStatus.COMPLETED, JobListFilter(None, None), asked)
        examined.append(profile.of(*READ).examined)
    assert examined == [2 * FOUND] * 3


async def test_a_sweep_reads_the_jobs_that_came_since_the_one_before(
    harness: EnricherHarness, stack: RunningStack
) -> None:
    await harness.add_references(contact_record(), article_record())
    works: list[Work] = []
    for round_, size in enumerate(SIZES[:2]):
        known = await harness.database[JOBS].count_documents({})
        at = AT + timedelta(minutes=round_)
        written = [
            WriterFixture(unique("order"), at=at).register(order_of_contact())
            for _ in range(size - known)
        ]
        await harness.store(written)
        await harness.handle_events([read_back(it.event) for it in written])
        await harness.sweeper()(AT + timedelta(hours=1))
        with Profile(stack.mongo, harness.database.name) as profile:
            await harness.sweeper()(AT + timedelta(hours=1))
        works.append(profile.of(*READ, UNFINISHED_JOBS))
    assert works[0] == works[1]
    assert works[0].examined <= 2
