"""Who may hold how many bytes, who waits, and that nothing is lost of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from gateway.domain.problem_error import ProblemError
from gateway.http.memory_budget import MemoryBudget, Reservation

TOTAL = 100
SOON = 0.02


def state(client: str) -> dict[str, Any]:
    """Return that of a request that was admitted."""
    return {"client": client, "reservations": []}


def budget(seconds: float = SOON) -> MemoryBudget:
    return MemoryBudget("test", TOTAL, seconds)


async def refused(asked: MemoryBudget, client: str, size: int) -> bool:
    try:
        await asked.reserve(state(client), size)
    except ProblemError as error:
        return (error.problem.code, error.headers["Retry-After"]) == ("Overloaded", "1")
    return False


async def test_what_fits_is_granted_at_once_and_belongs_to_the_state() -> None:
    asked = state("shop")
    reservation = await budget().reserve(asked, 40)
    assert asked["reservations"] == [reservation]
    assert (reservation.client, reservation.size) == ("shop", 40)


async def test_a_client_may_hold_half() -> None:
    """Another one finds the other half."""
    it = budget()
    await it.reserve(state("shop"), 40)
    await it.reserve(state("shop"), 10)
    assert await refused(it, "shop", 1)
    await it.reserve(state("till"), 50)
    assert await refused(it, "till", 1)
    assert await refused(it, "third", 1)


async def test_what_is_more_than_half_is_granted_to_who_holds_nothing() -> None:
    it = budget()
    reservation = await it.reserve(state("shop"), TOTAL * 2)
    assert reservation.size == TOTAL
    assert await refused(it, "till", 1)
    reservation.release()
    await it.reserve(state("till"), TOTAL)


async def test_what_is_given_back_is_granted_to_who_waits_in_order() -> None:
    it = budget(5)
    first = await it.reserve(state("a"), 50)
    second = await it.reserve(state("b"), 50)
    order: list[str] = []

    async def wait(client: str, size: int) -> Reservation:
        reservation = await it.reserve(state(client), size)
        order.append(client)
        return reservation

    waiting = [asyncio.create_task(wait(*each)) for each in [("c", 60), ("d", 10), ("e", 10)]]
    await asyncio.sleep(SOON)
    first.release()
    await asyncio.sleep(SOON)
    assert order == []  # the small ones don't overtake the large one, or it would wait for ever
    second.release()
    await asyncio.gather(*waiting)
    assert order == ["c", "d", "e"]


async def test_who_holds_too_much_is_in_nobodys_way() -> None:
    it = budget(5)
    await it.reserve(state("shop"), 50)
    greedy = asyncio.create_task(it.reserve(state("shop"), 10))
    await asyncio.sleep(SOON)
    await it.reserve(state("till"), 50)
    assert not greedy.done()
    greedy.cancel()


async def test_who_gives_up_waiting_is_in_nobodys_way() -> None:
    it = budget(0.2)
    held = await it.reserve(state("a"), 50)
    large = asyncio.create_task(refused(it, "b", 60))
    await asyncio.sleep(0.1)
    small = asyncio.create_task(refused(it, "c", 10))
    await asyncio.sleep(SOON)
    assert not small.done()
    assert await large
    assert not await small
    held.release()
    await it.reserve(state("d"), 90)


async def test_what_was_granted_to_a_caller_that_is_gone_is_given_back() -> None:
    it = budget(5)
    held = await it.reserve(state("a"), TOTAL)
    waiting = asyncio.create_task(it.reserve(state("b"), 60))
    await asyncio.sleep(SOON)
    held.release()  # granted from here on, although the task does not know it yet
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await it.reserve(state("c"), TOTAL)


async def test_a_reservation_shrinks_and_is_given_back_once() -> None:
    it = budget()
    reservation = await it.reserve(state("a"), TOTAL)
    reservation.shrink(30)
    reservation.shrink(60)
    assert reservation.size == 30
    await it.reserve(state("b"), 70)
    reservation.release()
    reservation.release()
    await it.reserve(state("c"), 30)
    assert await refused(it, "d", 1)


async def test_what_is_reserved_is_measured() -> None:
    name, labels = "ordermill_gateway_memory_bytes", {"kind": "test"}
    reservation = await budget().reserve(state("a"), 40)
    assert REGISTRY.get_sample_value(name, labels) == 40
    reservation.release()
    assert REGISTRY.get_sample_value(name, labels) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 120)), max_size=20))
async def test_all_is_free_in_the_end_whatever_was_asked(asked: list[tuple[str, int]]) -> None:
    it = budget(5)

    async def hold(client: str, size: int) -> None:
        reservation = await it.reserve(state(client), size)
        await asyncio.sleep(0)
        reservation.release()

    await asyncio.gather(*(hold(*each) for each in asked))
    await it.reserve(state("last"), TOTAL)
