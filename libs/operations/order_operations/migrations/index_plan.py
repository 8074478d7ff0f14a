"""The steps from the indexes that a database has to those that this release wants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from order_runtime.mongo.collections import Collection
from order_runtime.mongo.indexes import FoundIndex, Index

FoundIndexes = Sequence[FoundIndex]


class StepKind(StrEnum):
    """What a step does, in the order in which steps are done."""

    BUILD_INDEX = "buildIndex"
    REPLACE_INDEX = "replaceIndex"
    SET_TTL = "setTtl"
    CHANGE_DOCUMENTS = "changeDocuments"
    DROP_INDEX = "dropIndex"


@dataclass(frozen=True, slots=True)
class IndexStep:
    """One change of the indexes of a collection."""

    kind: StepKind
    collection: str
    index: Index
    """As it is to be; of one that is dropped, as it is."""
    replaces: tuple[str, ...] = ()
    """Names of the indexes that are dropped right before this one is built."""


def index_steps(collection: Collection, found: FoundIndexes) -> Iterator[IndexStep]:
    """
    Yield the steps of one collection, the retired indexes last.

    An index that neither is wanted nor was ever ours is left alone, unless it holds the same as a
    wanted one under another name: MongoDB builds no second one.
    """
    for wanted in collection.indexes:
        if step := _step(collection.name, wanted, found):
            yield step
    for it in found:
        if it.index.name in collection.retired:
            yield IndexStep(StepKind.DROP_INDEX, collection.name, it.index)


def all_index_steps(
    collections: Iterable[Collection], found: Mapping[str, FoundIndexes]
) -> list[IndexStep]:
    """Return the steps of all collections in the order in which they are done."""
    steps = [step for it in collections for step in index_steps(it, found[it.name])]
    return sorted(steps, key=lambda it: list(StepKind).index(it.kind))


def _step(collection: str, wanted: Index, found: FoundIndexes) -> IndexStep | None:
    named = next((it for it in found if it.index.name == wanted.name), None)
    if named is not None and _becomes(named.index, wanted):
        if not named.built:  # to wait for it
            return IndexStep(StepKind.BUILD_INDEX, collection, wanted)
        if named.index.ttl_seconds != wanted.ttl_seconds:
            return IndexStep(StepKind.SET_TTL, collection, wanted)
        return None
    in_the_way = tuple(
        it.index.name for it in found if it.index.name == wanted.name or it.index.same_shape(wanted)
    )
    kind = StepKind.REPLACE_INDEX if in_the_way else StepKind.BUILD_INDEX
    return IndexStep(kind, collection, wanted, in_the_way)


def _becomes(there: Index, wanted: Index) -> bool:
    """Return whether *there* is *wanted*, but for a TTL that can be set; none can be removed."""
    removed = there.ttl_seconds is not None and wanted.ttl_seconds is None
    return there.same_shape(wanted) and not removed
