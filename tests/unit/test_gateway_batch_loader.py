"""Look-ups that come together are one query, and none is answered from before it asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.adapters.batch_loader import MAX_KEYS, BatchLoader

LIMIT = 5.0  # seconds


class Database:
    """Answers when it is told to; knows what is `stored` when a query begins."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.stored: dict[str, str] = {}
        self.queries: list[list[str]] = []
        self.began = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None
        if at_once:
            self.may_answer.set()

    async def find(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.queries.append(list(keys))
        seen = {key: self.stored[key] for key in keys if key in self.stored}
        self.began.set()
        await asyncio.wait_for(self.may_answer.wait(), LIMIT)
        if self.error is not None:
            raise self.error
        return seen


async def settle() -> None:
    """Let every task run as far as it gets."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_hundred_callers_are_few_queries() -> None:
    database = Database()
    database.stored = {f"o-{n}": f"job-{n}" for n in range(100)}
    look = BatchLoader(database.find)
    found = await asyncio.gather(*[look.get(f"o-{n}") for n in range(100)])
    assert found == [f"job-{n}" for n in range(100)]
    assert len(database.queries) == 1


async def test_callers_of_one_key_share_its_answer() -> None:
    database = Database()
    look = BatchLoader(database.find)
    await asyncio.gather(*[look.get("o-1") for _ in range(50)])
    assert database.queries == [["o-1"]]


async def test_a_query_that_answers_began_after_its_caller_asked() -> None:
    """Else what was written just before would be missed: a 409 that never comes."""
    database = Database(at_once=False)
    look = BatchLoader(database.find)
    early = asyncio.create_task(look.get("o-1"))
    await asyncio.wait_for(database.began.wait(), LIMIT)
    database.stored["o-1"] = "job-1"

    late = asyncio.create_task(look.get("o-1"))
    await settle()
    assert len(database.queries) == 1, "one query runs at a time"
    database.may_answer.set()

    assert (await early, await late) == (None, "job-1")
    assert database.queries == [["o-1"], ["o-1"]]


async def test_all_who_ask_during_a_query_are_in_the_next() -> None:
    database = Database(at_once=False)
    look = BatchLoader(database.find)
    first = asyncio.create_task(look.get("first"))
    await asyncio.wait_for(database.began.wait(), LIMIT)
    others = [asyncio.create_task(look.get(f"o-{n}")) for n in range(99)]
    await settle()
    database.may_answer.set()
    await asyncio.gather(first, *others)
    assert [len(keys) for keys in database.queries] == [1, 99]


async def test_a_caller_that_leaves_takes_nobody_along() -> None:
    database = Database(at_once=False)
    database.stored["o-1"] = "job-1"
    look = BatchLoader(database.find)
    leaving, staying, other = (asyncio.create_task(look.get(key)) for key in ("o-1", "o-1", "o-2"))
    await asyncio.wait_for(database.began.wait(), LIMIT)
    leaving.cancel()
    await settle()
    database.may_answer.set()
    assert (await staying, await other) == ("job-1", None)
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_an_error_reaches_all_who_asked_and_nobody_later() -> None:
    database = Database()
    database.error = ConnectionError("away")
    look = BatchLoader(database.find)
    outcomes = await asyncio.gather(
        *[look.get(f"o-{n % 3}") for n in range(9)], return_exceptions=True
    )
    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
    database.error = None
    assert await look.get("o-1") is None


async def test_a_query_is_bounded() -> None:
    database = Database()
    look = BatchLoader(database.find)
    await asyncio.gather(*[look.get(str(n)) for n in range(MAX_KEYS + 1)])
    assert [len(keys) for keys in database.queries] == [MAX_KEYS, 1]
