"""Whom a merged contact counts as, over any number of merges."""

from __future__ import annotations

import pytest

from order_runtime.documents.merges import MAX_HOPS, MergePointer, Survivor, survivor_of


def pointers(*merges: str, gone: str = "") -> dict[str, MergePointer]:
    """Return the pointers of merges, each as `from>to`; the contacts *gone* have a tombstone."""
    pairs = [it.split(">") for it in merges]
    return {
        f"#{own}": MergePointer(f"#{into}", into, None if own in gone else own)
        for own, into in pairs
    }


def test_a_contact_that_was_never_merged_counts_as_itself() -> None:
    assert survivor_of("#a", {}) is None
    assert survivor_of("#b", pointers("a>b")) is None


def test_merges_are_followed_to_their_end_also_over_contacts_that_are_gone() -> None:
    for gone in ("", "a", "ab"):
        found = pointers("a>b", "b>c", gone=gone)
        assert survivor_of("#a", found) == survivor_of("#b", found) == Survivor("#c", "c")


def test_an_erased_survivor_is_known_by_its_hash() -> None:
    assert survivor_of("#a", {"#a": MergePointer("#b", None, "a")}) == Survivor("#b", None)


@pytest.mark.parametrize("start", ["#a", "#b", "#c", "#x"])
@pytest.mark.parametrize(("gone", "smallest"), [("", "a"), ("a", "b"), ("ab", "c")])
def test_in_a_cycle_the_smallest_contact_that_exists_survives(
    start: str, gone: str, smallest: str
) -> None:
    """Whichever of them is asked for, and also one that was merged into the cycle."""
    found = pointers("b>c", "c>a", "a>b", "x>c", gone=gone)

    assert survivor_of(start, found) == Survivor(f"#{smallest}", smallest)


def test_a_cycle_of_contacts_that_are_all_gone_is_one_nobody() -> None:
    found = pointers("a>b", "b>a", gone="ab")

    assert survivor_of("#a", found) == survivor_of("#b", found) == Survivor("#a", None)


def test_a_chain_without_end_ends() -> None:
    found = pointers(*(f"{n}>{n + 1}" for n in range(3 * MAX_HOPS)))

    survivor = survivor_of("#0", found)

    assert survivor is not None
    assert int(survivor.contact_id or 0) <= MAX_HOPS + 1
