"""The steps from the indexes that are there to those that are wanted, and what a start refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_operations.migrations.index_plan import IndexStep, StepKind, all_index_steps, index_steps
from order_runtime.mongo.collections import Collection
from order_runtime.mongo.indexes import FoundIndex, Index, index
from order_runtime.startup.requirements import index_risks, index_violations

NEWEST = index("-at", "-_id")
EXPIRY = index("expireAt", ttl_seconds=0)
DUE = index("at", name="due", partial={"state": "pending"})
ID = FoundIndex(index("_id", name="_id_"), built=True)
NOBODY = frozenset[str]()


def items(*indexes: Index, retired: tuple[str, ...] = ()) -> Collection:
    return Collection("items", NOBODY, NOBODY, indexes, retired)


def built(*indexes: Index) -> list[FoundIndex]:
    return [ID, *(FoundIndex(it, built=True) for it in indexes)]


def step(kind: StepKind, wanted: Index, *replaces: str) -> IndexStep:
    return IndexStep(kind, "items", wanted, replaces)


def test_nothing_is_to_be_done_where_all_is_there() -> None:
    assert list(index_steps(items(NEWEST, EXPIRY, DUE), built(DUE, EXPIRY, NEWEST))) == []


def test_what_is_missing_is_built_also_in_a_collection_that_is_not_there() -> None:
    wanted = [step(StepKind.BUILD_INDEX, NEWEST), step(StepKind.BUILD_INDEX, DUE)]

    assert list(index_steps(items(NEWEST, EXPIRY, DUE), built(EXPIRY))) == wanted
    assert list(index_steps(items(NEWEST, DUE), [])) == wanted


def test_an_index_that_is_being_built_is_waited_for() -> None:
    found = [ID, FoundIndex(NEWEST, built=False)]

    assert list(index_steps(items(NEWEST), found)) == [step(StepKind.BUILD_INDEX, NEWEST)]


@pytest.mark.parametrize("seconds", [None, 60])
def test_another_ttl_is_set_without_a_rebuild(seconds: int | None) -> None:
    found = built(replace(EXPIRY, ttl_seconds=seconds))

    assert list(index_steps(items(EXPIRY), found)) == [step(StepKind.SET_TTL, EXPIRY)]


def test_a_ttl_that_is_no_more_wanted_takes_a_rebuild() -> None:
    """MongoDB sets a TTL and can't take one off."""
    plain = index("expireAt")

    assert list(index_steps(items(plain), built(EXPIRY))) == [
        step(StepKind.REPLACE_INDEX, plain, "expireAt_1")
    ]


@pytest.mark.parametrize(
    "there",
    [
        index("-at", name="due", partial=DUE.partial),
        index("at", name="due"),
        index("at", name="due", partial={"state": "failed"}),
        index("at", name="due", partial=DUE.partial, sparse=True),
        index("at", name="due", partial=DUE.partial, unique=True),
        index("at", name="by hand", partial=DUE.partial),
    ],
    ids=["keys", "no filter", "filter", "sparse", "unique", "name"],
)
def test_another_index_of_the_name_or_another_name_of_the_index_is_replaced(there: Index) -> None:
    assert list(index_steps(items(DUE), built(there))) == [
        step(StepKind.REPLACE_INDEX, DUE, there.name)
    ]


def test_both_are_dropped_where_the_name_and_the_shape_are_taken() -> None:
    named, shaped = index("x", name="due"), replace(DUE, name="by hand")

    assert list(index_steps(items(DUE), built(named, shaped))) == [
        step(StepKind.REPLACE_INDEX, DUE, "due", "by hand")
    ]


def test_a_retired_index_is_dropped_and_one_of_others_is_left_alone() -> None:
    old, theirs = index("changedAt"), index("colour")
    collection = items(NEWEST, retired=("changedAt_1", "never made"))

    assert list(index_steps(collection, built(old, theirs, NEWEST))) == [
        step(StepKind.DROP_INDEX, old)
    ]


def test_indexes_are_built_before_any_is_dropped() -> None:
    one = items(EXPIRY, retired=("old_1",))
    two = replace(items(NEWEST, DUE), name="others")
    found = {"items": built(index("old"), replace(EXPIRY, ttl_seconds=9)), "others": []}

    assert [(it.kind, it.collection) for it in all_index_steps([one, two], found)] == [
        (StepKind.BUILD_INDEX, "others"),
        (StepKind.BUILD_INDEX, "others"),
        (StepKind.SET_TTL, "items"),
        (StepKind.DROP_INDEX, "items"),
    ]


def test_a_service_is_satisfied_with_what_apply_makes() -> None:
    needed = [items(NEWEST, EXPIRY, DUE)]
    found = {"items": built(DUE, EXPIRY, NEWEST, index("colour"))}

    assert list(index_violations(found, needed)) == []
    assert list(index_risks(found, needed)) == []


@pytest.mark.parametrize(
    "there",
    [
        [],
        [FoundIndex(DUE, built=False)],
        built(replace(DUE, partial=None)),
        built(replace(DUE, name="by hand")),
    ],
    ids=["none", "being built", "another", "another name"],
)
def test_a_service_names_all_that_it_lacks_in_one_sentence(there: list[FoundIndex]) -> None:
    needed = [items(NEWEST), replace(items(DUE), name="others")]

    [sentence] = index_violations({"items": [], "others": there}, needed)

    assert sentence == (
        "MongoDB has not built indexes that this release needs: items.at_-1__id_-1, others.due."
        " `orders migrate apply` builds them; see docs/operating.md."
    )


def test_another_ttl_stops_no_service() -> None:
    """One of the release before is started again after the TTL was set for this one."""
    needed, found = [items(EXPIRY, NEWEST)], built(replace(EXPIRY, ttl_seconds=60), NEWEST)

    assert list(index_violations({"items": found}, needed)) == []
    [doubt] = index_risks({"items": found}, needed)
    assert "items.expireAt_1 (60 s, better: 0 s)" in doubt
