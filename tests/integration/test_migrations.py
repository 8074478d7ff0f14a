"""`orders migrate` on a real MongoDB: what is missing, changed or left over, and who goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pymongo.database import Database

from order_contracts.topics import ENRICHER, WRITER
from order_operations.migrations.document_migrations import PAGE
from order_operations.migrations.index_plan import StepKind
from order_operations.migrations.schema import Schema, migrate, planned_steps
from order_runtime.mongo.client import Document, client
from order_runtime.mongo.collections import COLLECTIONS, Collection, Migration, collections_of
from order_runtime.mongo.indexes import index
from order_runtime.mongo.list_indexes import read_indexes
from order_runtime.process.errors import RequirementNotMet
from order_runtime.startup.preflight import check_indexes
from support.builders.bodies import unique
from support.growth.round_trips import round_trips
from support.stack.running_stack import RunningStack
from support.stack.service_logs import last_words
from support.stack.wait import until

NOBODY = frozenset[str]()
BY_COLOUR = index("colour", "-_id")
ITEMS = Collection("items", NOBODY, NOBODY, (BY_COLOUR, index("at", ttl_seconds=60)), ("old_1",))
PAINT = Migration(
    "paint", "items", {"colour": {"$exists": False}}, [{"$set": {"colour": "$paint.colour"}}]
)


class Interrupted(Exception):
    """What ends an apply in the middle, as the death of its process does."""


@pytest.fixture
def database(stack: RunningStack) -> Iterator[Database[Document]]:
    name = unique("migrations")
    with client(stack.mongo, "test") as mongo:
        yield mongo[name]
        mongo.drop_database(name)


def apply(database: Database[Document], schema: Schema, *, drop_retired: bool = False) -> list[str]:
    lines: list[str] = []
    migrate(database, lines.append, drop_retired=drop_retired, schema=schema)
    return lines


def steps(database: Database[Document], schema: Schema) -> list[tuple[str, str]]:
    return [(it.kind, it.name) for it in planned_steps(database, schema)]


def ttl(database: Database[Document], collection: str, name: str) -> int | None:
    [found] = [it.index for it in read_indexes(database, collection) if it.index.name == name]
    return found.ttl_seconds


def test_an_empty_database_gets_what_the_services_require(
    stack: RunningStack, database: Database[Document]
) -> None:
    """And MongoDB tells every index as it was asked for, or each plan would replace it again."""
    place = ("--database", database.name)
    with pytest.raises(RequirementNotMet, match=r"jobs\.personal, jobs\.requested"):
        check_indexes(database, WRITER)
    planned = json.loads(stack.orders("migrate", "plan", "--json", *place).stdout)
    stack.orders("migrate", "apply", "--dry-run", *place)
    assert database.list_collection_names() == []

    stack.orders("migrate", "apply", *place)

    assert len(planned) == sum(len(it.indexes) for it in COLLECTIONS)
    assert {it["kind"] for it in planned} == {"buildIndex"}
    check_indexes(database, WRITER)
    assert json.loads(stack.orders("migrate", "plan", "--json", *place).stdout) == []
    assert "nothing to do" in stack.orders("migrate", "plan", *place).stdout


def test_a_service_checks_with_one_round_trip_a_collection(
    stack: RunningStack, database: Database[Document]
) -> None:
    with (
        round_trips(database.name) as commands,
        client(stack.mongo, "test") as mongo,
        pytest.raises(RequirementNotMet),
    ):
        check_indexes(mongo[database.name], ENRICHER)

    assert set(commands.values()) == {1}
    assert len(commands) == len(collections_of(ENRICHER))


def test_a_changed_ttl_is_set_and_nothing_is_built_again(database: Database[Document]) -> None:
    apply(database, Schema([ITEMS], []))
    hour = replace(ITEMS, indexes=(BY_COLOUR, index("at", ttl_seconds=3_600)))

    assert steps(database, Schema([hour], [])) == [(StepKind.SET_TTL, "at_1")]
    with round_trips(database.name) as commands:
        apply(database, Schema([hour], []))

    assert ttl(database, "items", "at_1") == 3_600
    assert not {it for it in commands if it.startswith(("createIndexes", "dropIndexes"))}
    assert steps(database, Schema([hour], [])) == []


def test_an_index_of_other_keys_is_replaced(database: Database[Document]) -> None:
    database["items"].create_index("size", name=BY_COLOUR.name)
    database["items"].create_index([("at", 1)], name="by hand")

    apply(database, Schema([ITEMS], []))

    found = {it.index.name: it.index for it in read_indexes(database, "items")}
    assert found.keys() == {"_id_", BY_COLOUR.name, "at_1"}
    assert found[BY_COLOUR.name] == BY_COLOUR


def test_a_retired_index_stays_until_it_is_to_be_dropped(database: Database[Document]) -> None:
    """Services of the release before still read by it."""
    database["items"].create_index("old")
    schema = Schema([ITEMS], [])
    apply(database, schema)
    assert steps(database, schema) == [(StepKind.DROP_INDEX, "old_1")]

    apply(database, schema, drop_retired=True)

    assert steps(database, schema) == []


def old_documents(count: int, first: int = 0) -> list[Document]:
    return [{"_id": first + it, "paint": {"colour": it % 7}} for it in range(count)]


def test_an_interrupted_change_goes_on_at_the_page_that_was_next(
    database: Database[Document],
) -> None:
    schema = Schema([], [PAINT])
    database["items"].insert_many(old_documents(3 * PAGE))

    def interrupted(line: str) -> None:
        if f"{2 * PAGE} documents" in line:
            raise Interrupted

    with pytest.raises(Interrupted):
        migrate(database, interrupted, drop_retired=False, schema=schema)
    assert [it.documents for it in planned_steps(database, schema)] == [PAGE]

    with round_trips(database.name) as commands:
        assert apply(database, schema) == [f"items: paint, {PAGE} documents changed"]
    assert commands["find items"] == 2, "the page that was left, and none"
    assert database["items"].count_documents({"colour": {"$type": "int"}}) == 3 * PAGE
    assert steps(database, schema) == []


def test_what_a_service_of_the_release_before_writes_meanwhile_is_changed_by_the_next_apply(
    database: Database[Document],
) -> None:
    schema, items = Schema([], [PAINT]), database["items"]
    items.insert_many(old_documents(PAGE + 1, first=10))

    def written_behind(_: str) -> None:
        items.replace_one({"_id": 1}, {"paint": {"colour": "late"}}, upsert=True)

    migrate(database, written_behind, drop_retired=False, schema=schema)
    assert [it.documents for it in planned_steps(database, schema)] == [1]

    apply(database, schema)

    late = items.find_one({"_id": 1})
    assert late is not None
    assert late["colour"] == "late"
    assert steps(database, schema) == []


def test_what_a_writer_changed_meanwhile_stays_as_the_writer_left_it(
    database: Database[Document],
) -> None:
    schema, items = Schema([], [PAINT]), database["items"]
    items.insert_many(old_documents(PAGE + 1))

    def overtaken(_: str) -> None:
        items.update_one({"_id": PAGE}, {"$set": {"colour": "new"}})

    migrate(database, overtaken, drop_retired=False, schema=schema)

    last = items.find_one({"_id": PAGE})
    assert last is not None
    assert last["colour"] == "new"


def test_a_writer_goes_on_while_indexes_are_built_and_documents_changed(
    database: Database[Document],
) -> None:
    schema, items = Schema([ITEMS], [PAINT]), database["items"]
    items.insert_many(old_documents(20 * PAGE))
    done, written = threading.Event(), list[int]()

    def write() -> None:
        while not done.is_set():
            number = 100 * PAGE + len(written)
            items.insert_one({"_id": number, "colour": "new"})
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: len(written) > 10, of="the first writes")
        before = len(written)
        apply(database, schema)
        during = len(written) - before
    finally:
        done.set()
        writer.join()

    assert during > 0
    assert items.count_documents({"colour": "new"}, hint=BY_COLOUR.name) == len(written)
    assert steps(database, schema) == []


def test_a_service_refuses_until_the_index_is_there(stack: RunningStack) -> None:
    with client(stack.mongo, "test") as mongo:
        mongo[stack.database]["idempotency"].drop_index("expireAt_1")
    stack.kill(WRITER, "TERM")

    refused = stack.orders("start", WRITER, check=False)

    assert refused.returncode == 1
    assert "idempotency.expireAt_1. `orders migrate apply` builds" in last_words(stack, WRITER)
    stack.orders("migrate", "apply")
    stack.start(WRITER)
