"""The collections as data: each is there once, and their indexes can be told apart."""

from __future__ import annotations

from collections import Counter

import pytest

from enricher.domain.model import HoldState
from enricher.domain.references import FORMER_KEYS, MATCHES_AS
from order_contracts.topics import ENRICHER, GATEWAY, MIGRATOR, OPERATOR, TRIGGER, WRITER
from order_runtime.mongo import client, collections
from order_runtime.mongo.collections import COLLECTIONS, MIGRATIONS, Collection, collections_of
from order_runtime.mongo.indexes import Index, found_index, index, index_spec
from support.stack.doc_examples import ROOT

EACH = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda it: it.name)


def test_every_collection_that_has_a_name_is_declared_once() -> None:
    named = [it for key, it in vars(client).items() if key.isupper() and isinstance(it, str)]

    assert Counter(it.name for it in COLLECTIONS) == Counter(named)
    declared = [it for it in vars(collections).values() if isinstance(it, Collection)]
    assert len(declared) == len(COLLECTIONS)


def test_the_architecture_names_every_collection() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("\n## Collections") : text.index("\n## What happens when")]

    assert {it.name for it in COLLECTIONS if f"`{it.name}`" not in table} == set()


@EACH
def test_indexes_differ_in_name_and_shape_and_none_is_retired(collection: Collection) -> None:
    """MongoDB refuses a second index of a name or a shape."""
    names = [it.name for it in collection.indexes]

    assert len(set(names) | set(collection.retired)) == len(names) + len(collection.retired)
    shapes = [(it.keys, it.sparse, it.partial) for it in collection.indexes]
    assert all(shapes.count(it) == 1 for it in shapes)


@EACH
def test_writers_and_readers_are_services_or_operators(collection: Collection) -> None:
    users = collection.writers | collection.readers

    assert collection.writers
    assert users <= {GATEWAY, WRITER, ENRICHER, TRIGGER, OPERATOR, MIGRATOR}


def test_a_migration_belongs_to_a_collection_and_has_a_name_of_its_own() -> None:
    assert {it.collection for it in MIGRATIONS} <= {it.name for it in COLLECTIONS}
    assert len({it.name for it in MIGRATIONS}) == len(MIGRATIONS)


def test_a_service_uses_what_it_writes_and_what_it_reads() -> None:
    assert [it.name for it in collections_of(WRITER)] == [
        *("orders", "jobs", "idempotency"),
        *("consumer_offsets", "consumer_pauses", "dead_letters", "integration_log"),
        "instances",
    ]
    assert {"erasures", "deliveries", "leases"} <= {it.name for it in collections_of(TRIGGER)}


def test_filters_of_indexes_use_the_words_of_the_documents() -> None:
    [until] = [it for it in collections.HELD.indexes if it.name == "until_1"]

    assert until.partial == {"state": str(HoldState.WAITING)}
    assert collections.FORMER_CARRIERS.keys[0][0] == FORMER_KEYS
    assert collections.CARRIERS.keys[1][0] == MATCHES_AS


def test_an_index_is_named_as_mongodb_would_name_it() -> None:
    assert index("contactId", "-registeredAt", "-_id") == Index(
        "contactId_1_registeredAt_-1__id_-1",
        (("contactId", 1), ("registeredAt", -1), ("_id", -1)),
    )
    assert index("at", name="due").name == "due"


@pytest.mark.parametrize(
    "wanted",
    [
        index("at", "-_id"),
        index("at", unique=True),
        index("at", sparse=True),
        index("at", partial={"state": "waiting"}),
        index("at", ttl_seconds=0),
        index("at", ttl_seconds=5),
    ],
    ids=lambda it: str(index_spec(it)),
)
def test_an_index_is_read_as_it_was_specified(wanted: Index) -> None:
    found = found_index({"v": 2, **index_spec(wanted)})

    assert (found.index, found.built) == (wanted, True)


def test_an_index_without_options_asks_for_none() -> None:
    """MongoDB takes `sparse: false` for another index than one that says nothing of it."""
    assert index_spec(index("at")) == {"name": "at_1", "key": {"at": 1}}


def test_an_index_that_is_being_built_is_not_built() -> None:
    entry = {"spec": {"v": 2, **index_spec(index("at"))}, "indexBuildInfo": {"buildUUID": "…"}}

    assert not found_index(entry).built
    assert found_index({"spec": entry["spec"]}).built


def test_an_index_of_others_is_read_too() -> None:
    entry = {"v": 2, "key": {"_fts": "text", "_ftsx": 1}, "name": "text"}

    assert found_index(entry).index.keys == (("_fts", "text"), ("_ftsx", 1))
