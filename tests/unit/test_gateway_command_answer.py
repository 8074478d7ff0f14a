"""What was accepted is answered so, whatever the database does afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from gateway.adapters.read_store import DatabaseUnavailable
from gateway.app.command_answer import CommandAnswer
from gateway.domain.request_terms import RequestTerms
from gateway.domain.urls import Urls


@dataclass(frozen=True, slots=True)
class Stored:
    """A waiter that finds every job stored."""

    async def stored(self, job_id: str, seconds: float) -> dict[str, Any]:
        del seconds
        return {"_id": job_id}


class Unavailable:
    """A reader that loses the database once the job was found."""

    async def of_document(self, document: object) -> None:
        del document
        raise DatabaseUnavailable


async def test_a_database_that_goes_while_a_job_is_waited_for_takes_no_202_back() -> None:
    answers = CommandAnswer(
        Urls("http://127.0.0.1:1"), cast("Any", Stored()), cast("Any", Unavailable())
    )

    answer = await answers.answer("job-1", "o-1", RequestTerms(wait=5))

    assert answer.status_code == 202
    assert answer.headers["location"].endswith("/orders/jobs/job-1")
