"""What was accepted is answered so, whatever the database does afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.adapters.read_store import ReadStore
from gateway.app.command_answer import CommandAnswer
from gateway.app.job_reader import JobReader
from gateway.app.job_waiter import JobWaiter
from gateway.domain.request_terms import RequestTerms
from gateway.domain.urls import Urls
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.mongo.client import Document, async_client

NOBODY = "mongodb://127.0.0.1:1"
TIMEOUT_MS = 100


async def alias_stored(job_ids: Sequence[str]) -> Mapping[str, Document]:
    """Find every job stored, as one of whose original the reader has to ask the database."""
    return {job_id: {"_id": job_id, "aliasOf": "job-0"} for job_id in job_ids}


async def test_a_database_that_goes_while_a_job_is_waited_for_takes_no_202_back() -> None:
    urls = Urls("http://127.0.0.1:1")
    async with async_client(NOBODY, "test", TIMEOUT_MS) as client:
        jobs = JobReader(ReadStore(client, "nowhere", b""), urls, JobIdSecrets((b"s" * 32,)))
        waiter = JobWaiter(alias_stored)
        answers = CommandAnswer(urls, waiter, waiter, jobs)

        answer = await answers.answer("job-1", "o-1", RequestTerms(wait=5))

    assert answer.status_code == 202
    assert answer.headers["location"].endswith("/orders/jobs/job-1")
