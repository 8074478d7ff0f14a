"""What is agreed and found of jobs, beside them; of earlier releases they have it inside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from enricher.app.periodic_sweep import GRACE
from order_contracts.topics import ACTIONS, CONTACTS
from order_runtime.mongo.client import (
    AGREEMENTS,
    ENRICHMENTS,
    INTEGRATION_LOG,
    JOBS,
    UNFINISHED_JOBS,
    WATERMARKS,
    Document,
)
from support.builders.bodies import Json
from support.builders.writer_fixtures import (
    AT,
    WriterFixture,
    WrittenCommand,
    read_back,
    reference_record,
)
from support.fakes.intercepted_database import InterceptedDatabase
from support.harness.enricher_harness import (
    CONFIRM,
    KEYS,
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)

LATER = NOW + timedelta(hours=1)
HELD_INSIDE: Json = {"state": "contactMissing", "action": "held", "at": AT}


async def registered(harness: EnricherHarness, action: Json | None = CONFIRM) -> WrittenCommand:
    """Store an order of the contact c-1, whose event was not handled yet."""
    order = WriterFixture("o-1").register(order_of_contact(), action)
    await harness.store([order])
    return order


async def agreed(harness: EnricherHarness, order: WrittenCommand, contact_id: str) -> None:
    """Leave what a worker leaves that dies once it has agreed to fire an action for a contact."""
    agreement = {"end": "fired", "contact": KEYS.hashed(f"ContactId:{contact_id}")}
    await harness.database[AGREEMENTS].insert_one({"_id": order.job_id, **agreement})


async def enrichment_of(harness: EnricherHarness, order: WrittenCommand) -> Document | None:
    return await harness.database[ENRICHMENTS].find_one({"_id": order.job_id})


async def test_an_enrichment_and_an_agreement_are_beside_the_job_which_stays_as_it_was(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), article_record())
    order = await registered(harness)

    await harness.handle_events([read_back(order.event)])

    assert await harness.database[JOBS].find_one({"_id": order.job_id}) == order.job
    found, [agreement] = (
        await enrichment_of(harness, order),
        await harness.database[AGREEMENTS].find().to_list(),
    )
    assert found is not None
    assert (found["orderId"], found["version"], found["acceptedAt"]) == ("o-1", 1, AT)
    assert agreement["contact"] == KEYS.hashed("ContactId:c-1")


async def test_what_was_agreed_is_carried_out_for_the_contact_that_it_was_agreed_for(
    harness: EnricherHarness,
) -> None:
    """Although another one would be found by now: the contact has lost the order's key."""
    await harness.add_references(contact_record("c-2", email="ann@x.se"), article_record())
    await harness.add_references(contact_record("c-1", email="other@x.se"))
    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"), CONFIRM)
    await harness.store([order])
    await agreed(harness, order, "c-1")

    await harness.handle_events([read_back(order.event)])

    [action] = harness.publisher.on(ACTIONS.name)
    assert action["contactId"] == "c-1"
    assert await harness.stages(order) == ("done", "fired")


async def test_who_finds_that_another_worker_agreed_first_does_what_that_one_agreed_to(
    harness: EnricherHarness,
) -> None:
    """It had decided otherwise by then, and has published nothing yet."""
    await harness.add_references(contact_record(), article_record())
    order = await registered(harness)
    agreements = harness.database[AGREEMENTS]

    async def before(call: str) -> None:
        if call == "insert_many" and await agreements.count_documents({}) == 0:
            await agreements.insert_one({"_id": order.job_id, "end": "dropped"})

    worker = harness.event_handler(InterceptedDatabase(harness.database, before))
    await worker([read_back(order.event)], NOW)

    assert harness.publisher.on(ACTIONS.name) == []
    assert await harness.stages(order) == ("done", "dropped")


async def test_what_was_agreed_for_a_contact_that_was_merged_is_for_the_survivor(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record("kept"), article_record())
    await harness.add_references(contact_record("c-1", mergedInto="kept"))
    order = await registered(harness)
    await agreed(harness, order, "c-1")

    await harness.handle_events([read_back(order.event)])

    assert [it["contactId"] for it in harness.publisher.on(ACTIONS.name)] == ["kept"]


async def test_what_was_agreed_for_a_contact_that_was_erased_is_dropped(
    harness: EnricherHarness,
) -> None:
    """Nobody can tell who it was; the order is another one's by now."""
    await harness.add_references(contact_record("c-1"), contact_record("gone"), article_record())
    await harness.add_references(reference_record(CONTACTS.name, "gone", None))
    order = await registered(harness)
    await agreed(harness, order, "gone")

    await harness.handle_events([read_back(order.event)])

    assert harness.publisher.on(ACTIONS.name) == []
    assert await harness.stages(order) == ("done", "dropped")


async def test_of_an_earlier_release_what_is_agreed_inside_is_honoured_and_then_removed(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record("c-1"), contact_record("c-2"), article_record())
    order = await registered(harness)
    inside = {"agreed": {"end": "fired", "contactId": "c-2"}}
    await harness.database[JOBS].update_one({"_id": order.job_id}, {"$set": inside})

    await harness.handle_events([read_back(order.event)])

    assert [it["contactId"] for it in harness.publisher.on(ACTIONS.name)] == ["c-2"]
    assert await harness.database[JOBS].find_one({"_id": order.job_id}) == order.job
    assert await harness.stages(order) == ("done", "fired")


async def test_of_an_earlier_release_what_was_found_counts_heals_and_is_not_found_again(
    harness: EnricherHarness,
) -> None:
    order = await registered(harness)
    await harness.handle_events([read_back(order.event)])
    found = await enrichment_of(harness, order)
    assert found is not None
    assert (found["state"], found["action"]) == ("contactMissing", "held")
    for name in (ENRICHMENTS, AGREEMENTS):
        await harness.database[name].delete_many({})
    inside = {"$set": {"enrichment": HELD_INSIDE}}
    await harness.database[JOBS].update_one({"_id": order.job_id}, inside)

    await harness.handle_events([read_back(order.event)])
    assert await enrichment_of(harness, order) is None
    await harness.add_references(contact_record())

    assert await harness.stages(order) == ("done", "fired")
    assert len(harness.publisher.on(ACTIONS.name)) == 1
    assert await enrichment_of(harness, order) is None
    sweep = harness.sweeper()
    for times in range(3):
        await sweep(LATER + times * GRACE)
    assert len(harness.publisher.on(ACTIONS.name)) == 1
    assert await harness.database[UNFINISHED_JOBS].count_documents({}) == 0


async def swept(harness: EnricherHarness, minutes: int, **behind: Any) -> int:
    """Sweep in a process of its own; return how many jobs have an enrichment then."""
    await harness.sweeper(page=2, pages=1, **behind)(LATER + timedelta(minutes=minutes))
    return await harness.database[ENRICHMENTS].count_documents({})


async def test_the_walk_over_the_jobs_outlives_the_process_and_leaves_nothing_out(
    harness: EnricherHarness,
) -> None:
    """Each sweep here is another process, and reads two jobs; times of commands are the same."""
    await harness.add_references(contact_record(), article_record())
    orders = [WriterFixture(f"o-{it}").register(order_of_contact()) for it in range(5)]
    await harness.store(orders)

    counts = [await swept(harness, minutes) for minutes in range(12)]

    assert (counts[4], counts[-1]) == (0, 5)
    assert await harness.database[UNFINISHED_JOBS].count_documents({}) == 0


async def test_the_walk_waits_for_jobs_that_the_order_writer_has_yet_to_make(
    harness: EnricherHarness,
) -> None:
    """A job's time is that of its command: it may be stored hours later."""
    await harness.add_references(contact_record(), article_record())

    async def behind(_: object) -> bool:
        return False

    other = WriterFixture("o-2", at=NOW + timedelta(minutes=5)).register(order_of_contact())
    await harness.handle(other)

    assert await swept(harness, 0, applied=behind) == 1
    assert await harness.database[WATERMARKS].count_documents({"_id": JOBS}) == 0
    await registered(harness)
    counts = [await swept(harness, minutes) for minutes in range(1, 16, 5)]

    assert counts[-1] == 2


async def test_two_enrichers_share_the_walk(harness: EnricherHarness) -> None:
    """Who finds the watermark moved leaves the walk to the other one, and both repair."""
    await harness.add_references(contact_record(), article_record())
    order = await registered(harness)
    one, other = harness.sweeper(), harness.sweeper()

    for minutes in (0, 1, 5, 6, 10, 11):
        await one(LATER + timedelta(minutes=minutes))
        await other(LATER + timedelta(minutes=minutes))

    assert await harness.stages(order) == ("done", "fired")
    assert len(set(harness.publisher.ids())) == len(harness.publisher.ids())
    mark = await harness.database[WATERMARKS].find_one({"_id": JOBS})
    assert mark is not None
    assert mark["cursor"].endswith(order.job_id)


async def test_a_job_that_is_past_its_retention_is_not_handled_though_its_enrichment_went_first(
    harness: EnricherHarness,
) -> None:
    """The database may have been away on the day between the two."""
    order = await registered(harness)
    gone = {"$set": {"expireAt": LATER}}
    await harness.database[JOBS].update_one({"_id": order.job_id}, gone)

    for minutes in (6, 12, 18):
        await swept(harness, minutes)

    assert await harness.database[INTEGRATION_LOG].count_documents({}) == 0
    assert await harness.database[UNFINISHED_JOBS].count_documents({}) == 0
