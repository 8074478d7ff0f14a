"""Which keys are ambiguous whatever an order's contact type, and when their orders are settled."""

from __future__ import annotations

import pytest

from enricher.domain.ambiguous_keys import AmbiguousKeys, are_ambiguous, carriers_by_type
from enricher.domain.contact_matching import KnownContact

KEY = "Email:none@none.example"


def members(count: int, contact_type: str | None = "Member") -> list[KnownContact]:
    return [KnownContact(f"{contact_type}-{at}", contact_type) for at in range(count)]


@pytest.mark.parametrize(
    ("candidates", "ambiguous"),
    [
        ([], False),  # its orders wait for the first one; an erasure takes them
        (members(1), False),
        (members(2), True),
        (members(5), True),
        (members(1, None), False),
        (members(2, None), True),
        (members(2, None) + members(1), True),
        (members(1, None) + members(2), False),  # a company's order gets the one of any type
        (members(2) + members(1, "Company"), False),
        (members(2) + members(2, "Company"), True),
        ([KnownContact("a", "Member"), KnownContact("b", "MEMBER")], True),
        ([KnownContact("a", awaited="hash")], False),
    ],
)
def test_a_key_is_ambiguous_where_no_order_gets_one_contact_by_it(
    candidates: list[KnownContact], ambiguous: bool
) -> None:
    assert are_ambiguous(carriers_by_type(candidates)) is ambiguous


def walked(keys: AmbiguousKeys, before: int, after: int) -> None:
    keys.begin("item", {KEY: carriers_by_type(members(before))})
    keys.end("item", {KEY: carriers_by_type(members(after))})


def is_settled(keys: AmbiguousKeys, count: int) -> bool:
    return keys.settled("another", {KEY: carriers_by_type(members(count))}) == {KEY}


def test_orders_are_settled_while_the_carriers_stay_as_they_were() -> None:
    keys = AmbiguousKeys()
    assert not is_settled(keys, 2)

    walked(keys, 2, 3)  # many are as many as two

    assert is_settled(keys, 2)
    assert is_settled(keys, 10)
    assert not is_settled(keys, 1)
    assert not is_settled(keys, 0)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (1, 1), (0, 0)])
def test_a_walk_among_other_carriers_settles_nothing(before: int, after: int) -> None:
    keys = AmbiguousKeys()
    walked(keys, 2, 2)

    walked(keys, before, after)

    assert not is_settled(keys, after)
    assert not is_settled(keys, 2)


def test_a_walk_that_another_worker_began_settles_nothing() -> None:
    keys = AmbiguousKeys()
    keys.end("item", {KEY: carriers_by_type(members(2))})
    assert not is_settled(keys, 2)


def test_a_key_that_another_walk_looks_after_is_left_to_that() -> None:
    keys, many = AmbiguousKeys(), {KEY: carriers_by_type(members(2))}
    keys.begin("item", many)

    assert keys.settled("item", many) == set()
    assert keys.settled("another", many) == {KEY}
    assert keys.settled("another", {KEY: carriers_by_type(members(1))}) == set()

    keys.end("item", {KEY: carriers_by_type(members(1))})
    assert keys.settled("another", many) == set(), "its carriers changed meanwhile"
