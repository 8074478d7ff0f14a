"""The counts that the tests of growth rest on are those of what MongoDB did."""

from __future__ import annotations

from typing import Any

from pymongo import AsyncMongoClient, InsertOne, UpdateOne

from support.builders.bodies import unique
from support.growth.profile import Profile, Work
from support.growth.round_trips import round_trips
from support.stack.running_stack import RunningStack


async def test_statements_documents_and_writes_are_counted_by_collection(
    stack: RunningStack,
) -> None:
    """
    A query without an index examines what it does not return, and is seen to.
    """
    name = unique("growth")
    async with AsyncMongoClient[dict[str, Any]](stack.mongo) as client:
        items = client[name]["items"]
        with Profile(stack.mongo, name) as profile, round_trips(name) as commands:
            await items.insert_many([{"_id": number, "odd": number % 2} for number in range(10)])
            await items.find({"odd": 1}).to_list()
            await items.bulk_write([UpdateOne({"_id": 1}, {"$set": {"a": 1}}), InsertOne({})])
            await items.update_many({"odd": 0}, {"$set": {"b": 1}})
            await items.delete_one({"_id": 2})
        await client.drop_database(name)

    found = profile.of("items")
    assert (found.returned, found.written) == (5, 10 + 1 + 1 + 5 + 1)
    assert found.examined >= 10 + 1 + 10 + 1
    assert profile.operations("items") == {"insert": 2, "query": 1, "update": 2, "remove": 1}
    assert profile.of("others") == Work()
    assert commands["find items"] == 1
    assert sum(commands.values()) == 6, "a bulk write of two kinds takes two"


async def test_what_a_transaction_does_is_counted(stack: RunningStack) -> None:
    """
    The order-writer does all its work in them.
    """
    name = unique("growth")
    async with AsyncMongoClient[dict[str, Any]](stack.mongo) as client:
        items = client[name]["items"]
        await items.insert_one({"_id": 1})
        with Profile(stack.mongo, name) as profile:
            async with client.start_session() as session, await session.start_transaction():
                await items.find_one({"_id": 1}, session=session)
                await items.insert_one({"_id": 2}, session=session)
        await client.drop_database(name)

    assert profile.operations("items") == {"query": 1, "insert": 1}
