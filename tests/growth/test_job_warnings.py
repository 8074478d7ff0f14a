"""What a job's warnings cost doesn't grow with the integration log, of its order or of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.adapters.job_warnings import warnings_of_jobs
from order_contracts.integration_log import log_entry
from order_contracts.topics import GATEWAY
from order_runtime.documents.integration_log import log_document
from order_runtime.mongo.client import CODEC, INTEGRATION_LOG, Document, async_client
from support.builders.bodies import unique
from support.growth.profile import Profile
from support.harness.migrated_database import migrate_database
from support.stack.running_stack import RunningStack

SIZES = (30, 300, 3_000)
NOW = datetime.now(UTC).replace(microsecond=0)
OWN = 3  # entries of the job that is asked for


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[AsyncDatabase[Document]]:
    async with async_client(stack.mongo, "test") as client:
        name = unique("growth")
        await asyncio.to_thread(migrate_database, stack.mongo, name, GATEWAY)
        yield client.get_database(name, codec_options=CODEC)
        await client.drop_database(name)


def entry(job_id: str, number: int) -> Document:
    at, reference = NOW - timedelta(seconds=number), f"sku {number}"
    return log_document(
        log_entry("ArticleMissing", job_id=job_id, order_id="o-1", at=at, reference=reference)
    )


@pytest.mark.parametrize("jobs", [["job"], ["job", "none"]])
async def test_the_warnings_of_jobs_examine_the_entries_of_these_jobs(
    database: AsyncDatabase[Document], stack: RunningStack, jobs: list[str]
) -> None:
    """All entries are of one order and one code, and open; the query is asked more than once."""
    log = database[INTEGRATION_LOG]
    await log.insert_many([entry("job", number) for number in range(OWN)])
    stored = 0
    for size in SIZES:
        await log.insert_many([entry(f"other-{it}", it) for it in range(stored, size)])
        stored = size
        with Profile(stack.mongo, database.name) as profile:
            for _ in range(5):
                found = await warnings_of_jobs(database, jobs)
                assert {it: len(warnings) for it, warnings in found.items()} == {"job": OWN}
        assert profile.of().examined <= 5 * OWN
