"""What arrives after its order heals it: link, jobs, log, held actions; and the sweep behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from enricher import metrics
from enricher.app.periodic_sweep import GRACE, Sweeper
from order_contracts.topics import ACTIONS, CONTACTS, ENRICHED
from order_runtime.mongo.client import HELD, INTEGRATION_LOG, LINKS
from support.builders.bodies import Json, line
from support.builders.writer_fixtures import (
    AT,
    WriterFixture,
    WrittenCommand,
    read_back,
    reference_record,
)
from support.fakes.intercepted_database import WorkerDied, dying_database
from support.harness.enricher_harness import (
    CONFIRM,
    DAY,
    NOW,
    EnricherHarness,
    MakeHarness,
    article_record,
    contact_record,
    order_of_contact,
    store_record,
)

WRITES_OF_AN_ARRIVAL = 7
CANCEL: Json = {"action": "ConfirmCancellation"}


def waiting(
    order_id: str = "o-1", action: Json | None = CONFIRM
) -> tuple[WriterFixture, WrittenCommand]:
    """Return an order whose contact, article and store are all still to come."""
    writer = WriterFixture(order_id)
    lacking = order_of_contact("ann@x.se", "Email", externalStoreId="shop", language="sv")
    return writer, writer.register(lacking, action)


async def state(harness: EnricherHarness, written: WrittenCommand) -> str | None:
    held = await harness.database[HELD].find_one({"jobId": written.job_id})
    return held["state"] if held else None


async def test_a_contact_that_arrives_later_heals_its_order(harness: EnricherHarness) -> None:
    _, order = waiting()
    await harness.handle(order)

    await harness.add_references(contact_record(email="Ann@X.se"))

    assert await harness.stages(order) == ("done", "fired")
    link = await harness.link("o-1")
    assert link is not None
    assert (link["contactId"], [it["code"] for it in link["missing"]]) == (
        "c-1",
        ["ArticleMissing", "StoreMissing"],
    )
    [action] = harness.publisher.on(ACTIONS.name)
    assert (action["jobId"], action["contactId"]) == (order.job_id, "c-1")
    assert (action["order"]["contactId"], action["language"]) == ("c-1", "sv")
    first, healed = harness.publisher.on(ENRICHED.name)
    assert ("contactId" in first, healed["contactId"]) == (False, "c-1")
    assert len(set(harness.publisher.ids())) == 3


async def test_an_article_and_a_store_that_arrive_later_close_their_entries(
    harness: EnricherHarness,
) -> None:
    _, order = waiting(action=None)
    await harness.handle(order)

    await harness.add_references(article_record())
    assert await harness.open_log_codes() == [("ContactMissing", "Email"), ("StoreMissing", "shop")]
    await harness.add_references(store_record("shop"), contact_record(email="ann@x.se"))

    assert await harness.open_log_codes() == []
    assert await harness.stages(order) == ("done", "none")
    entries = await harness.database[INTEGRATION_LOG].find().to_list()
    assert {it["resolvedAt"] for it in entries} == {NOW}
    link = await harness.link("o-1")
    assert link is not None
    assert ("waitsFor" in link, link["missing"]) == (False, [])


async def test_all_jobs_that_lacked_the_contact_are_completed_but_a_triggered_action(
    harness: EnricherHarness,
) -> None:
    """It was answered: failed, and whoever asked may ask again."""
    writer, order = waiting()
    await harness.handle(order)
    changed, asked = (
        writer.change_status({"action": "ConfirmShipment"}),
        writer.trigger_action(CONFIRM),
    )
    await harness.handle(changed, asked)

    await harness.add_references(contact_record(email="ann@x.se"))

    assert await harness.stages(order) == ("done", "fired")
    assert await harness.stages(changed) == ("done", "fired")
    assert await harness.stages(asked) == ("contactMissing", "dropped")
    fired = [it["jobId"] for it in harness.publisher.on(ACTIONS.name)]
    assert fired == [order.job_id, changed.job_id]
    assert await harness.open_log_codes() == [("ArticleMissing", "mug"), ("StoreMissing", "shop")]


OUTDATING: dict[str, Callable[[WriterFixture], WrittenCommand]] = {
    "orderDeleted": lambda writer: writer.delete(),
    "orderReplaced": lambda writer: writer.replace(order_of_contact("ann@x.se", "Email")),
    "orderCancelled": lambda writer: writer.cancel(),
    "requestedAgain": lambda writer: writer.change_status(CONFIRM),
}
"""By the reason that the log gives."""


@pytest.mark.parametrize("handled", [True, False], ids=["seen", "not-seen-yet"])
@pytest.mark.parametrize("reason", OUTDATING)
async def test_a_held_action_is_dropped_if_its_order_moved_on(
    harness: EnricherHarness, reason: str, handled: bool
) -> None:
    """Whether the enricher has heard of it or not: what is stored decides."""
    writer, order = waiting()
    await harness.handle(order)
    later = OUTDATING[reason](writer)
    await harness.store([later])
    if handled:
        await harness.handle_events([read_back(later.event)])

    await harness.add_references(contact_record(email="ann@x.se"))
    await harness.handle_events([read_back(later.event)])

    assert await state(harness, order) == "dropped"
    assert (await harness.stages(order))[1] == "dropped"
    assert await harness.drop_reasons() == [reason]
    fired = [it["jobId"] for it in harness.publisher.on(ACTIONS.name)]
    assert fired == ([later.job_id] if "action" in later.job else [])


async def test_the_action_of_a_cancellation_itself_fires(harness: EnricherHarness) -> None:
    writer, order = waiting(action=None)
    cancelled = writer.cancel(CANCEL)
    await harness.handle(order, cancelled)

    await harness.add_references(contact_record(email="ann@x.se"))

    assert await harness.stages(cancelled) == ("done", "fired")


async def test_an_order_that_was_registered_as_cancelled_fires_its_action(
    harness: EnricherHarness,
) -> None:
    order = WriterFixture("o-1").register(
        order_of_contact("ann@x.se", "Email", status="Cancelled"), CANCEL
    )
    await harness.handle(order)

    await harness.add_references(contact_record(email="ann@x.se"))

    assert await harness.stages(order) == ("done", "fired")


async def test_custom_actions_are_the_same_only_with_the_same_data(
    harness: EnricherHarness,
) -> None:
    writer, order = waiting(action={"action": "Custom", "data": {"step": 1}})
    other = writer.change_status({"action": "Custom", "data": {"step": 2}})
    await harness.handle(order, other)

    await harness.add_references(contact_record(email="ann@x.se"))

    assert [await state(harness, it) for it in (order, other)] == ["fired", "fired"]


async def test_after_the_window_the_order_heals_and_its_action_is_dropped(
    harness: EnricherHarness,
) -> None:
    _, order = waiting()
    await harness.handle(order)

    await harness.add_references(contact_record(email="ann@x.se"), now=AT + DAY)

    assert await harness.stages(order) == ("done", "dropped")
    assert harness.publisher.on(ACTIONS.name) == []


@pytest.mark.parametrize("handled", [True, False], ids=["seen", "not-seen-yet"])
async def test_deleting_creating_the_contact_and_registering_again_fires_one_action(
    harness: EnricherHarness, handled: bool
) -> None:
    """The documented way out; the contact may be seen before the deletion is."""
    writer, first = waiting()
    await harness.handle(first)
    deleted = writer.delete()
    await harness.store([deleted])
    if handled:
        await harness.handle_events([read_back(deleted.event)])
    await harness.add_references(contact_record(email="ann@x.se"))
    if not handled:
        await harness.handle_events([read_back(deleted.event)])

    second = writer.register(order_of_contact("ann@x.se", "Email"), CONFIRM)
    await harness.handle(second)

    assert [it["jobId"] for it in harness.publisher.on(ACTIONS.name)] == [second.job_id]
    assert await harness.stages(first) == ("contactMissing", "dropped")
    assert await harness.stages(second) == ("done", "fired")


async def test_a_deletion_leaves_no_entry_open(harness: EnricherHarness) -> None:
    writer, order = waiting(action=None)
    await harness.handle(order)

    await harness.handle(writer.delete())

    assert await harness.open_log_codes() == []


async def test_a_replacement_closes_what_it_mends(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record(), article_record())
    writer, order = waiting(action=None)
    await harness.handle(order)

    await harness.handle(writer.replace(order_of_contact(externalStoreId="shop")))

    assert set(await harness.open_log_codes()) == {("StoreMissing", "shop")}


@pytest.mark.parametrize("ends", ["deleted", "renamed"])
async def test_an_ambiguity_that_ends_heals(harness: EnricherHarness, ends: str) -> None:
    """What a contact is known by no more is looked at as well."""
    await harness.add_references(
        contact_record("c-1", email="ann@x.se"), contact_record("c-2", email="ann@x.se")
    )
    _, order = waiting()
    await harness.handle(order)
    assert ("ContactAmbiguous", "Email") in await harness.open_log_codes()

    gone = reference_record(CONTACTS.name, "c-2", None, at=AT - timedelta(days=1))
    await harness.add_references(
        gone if ends == "deleted" else contact_record("c-2", email="bob@x.se")
    )

    assert await harness.stages(order) == ("done", "fired")
    assert ("ContactAmbiguous", "Email") not in await harness.open_log_codes()
    assert await harness.database["contacts"].count_documents({"formerKeys": "Email:ann@x.se"}) == 0


async def test_a_missing_contact_that_turns_out_to_be_two_is_said_to_be(
    harness: EnricherHarness,
) -> None:
    _, order = waiting()
    await harness.handle(order)
    await harness.store_references_only(contact_record("c-1", email="ann@x.se"))

    await harness.add_references(contact_record("c-2", email="ann@x.se"))

    assert ("ContactAmbiguous", "Email") in await harness.open_log_codes()
    assert ("ContactMissing", "Email") not in await harness.open_log_codes()
    assert await harness.stages(order) == ("contactMissing", "held")


async def test_what_is_linked_stays_linked(harness: EnricherHarness) -> None:
    """A contact that changes its keys, or gets a namesake, keeps the orders that it has."""
    await harness.add_references(contact_record(email="ann@x.se"))
    _, order = waiting()
    await harness.handle(order)

    await harness.add_references(
        contact_record(email="new@x.se"), contact_record("c-2", email="ann@x.se")
    )
    await harness.add_references(article_record())

    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-1"


async def test_a_contact_of_another_type_heals_nothing(harness: EnricherHarness) -> None:
    _, order = waiting()
    await harness.handle(order)

    await harness.add_references(contact_record(email="ann@x.se", contactType="Company"))

    assert await harness.stages(order) == ("contactMissing", "held")


@pytest.mark.parametrize("writes", range(WRITES_OF_AN_ARRIVAL + 1))
async def test_a_crash_between_any_two_writes_of_an_arrival_loses_nothing(
    make_harness: MakeHarness, writes: int
) -> None:
    calm, stormy = await make_harness(), await make_harness()
    _, order = waiting()
    arrived = contact_record(email="ann@x.se")
    for it in (calm, stormy):
        await it.handle(order)
    await calm.add_references(arrived)

    dies = writes < WRITES_OF_AN_ARRIVAL
    if dies:
        with pytest.raises(WorkerDied):
            await stormy.add_references(arrived, database=dying_database(stormy.database, writes))
    await stormy.add_references(arrived)

    assert await stormy.dump() == await calm.dump()
    assert set(stormy.publisher.ids()) == set(calm.publisher.ids())


def repaired() -> float:
    return sum(
        sample.value
        for metric in metrics.REPAIRED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def no(_: datetime) -> bool:
    return False


async def twice(sweep: Sweeper, now: datetime = NOW + timedelta(hours=1)) -> float:
    """Sweep, and again when what is seen may be called lost; return how much was repaired."""
    before = repaired()
    await sweep(now)
    assert repaired() == before
    await sweep(now + GRACE)
    return repaired() - before


async def test_the_sweep_drops_what_was_held_too_long(harness: EnricherHarness) -> None:
    _, order = waiting()
    await harness.handle(order)
    before = repaired()

    await harness.sweeper(no)(AT + DAY)

    assert await harness.stages(order) == ("contactMissing", "dropped")
    assert await harness.drop_reasons() == ["holdWindowOver"]
    assert repaired() == before


async def test_the_sweep_finds_nothing_in_a_healthy_system(harness: EnricherHarness) -> None:
    _, held = waiting("o-1")
    linked, gone = WriterFixture("o-2"), WriterFixture("o-3")
    await harness.add_references(contact_record())
    await harness.handle(held, linked.register(order_of_contact(lines=[line(sku="cup")]), CONFIRM))
    await harness.handle(gone.register(order_of_contact()), gone.delete(), linked.change_status())
    before = await harness.dump()

    assert await twice(harness.sweeper()) == 0

    assert await harness.dump() == before


async def test_the_sweep_does_what_a_lost_event_would_have_done(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record(), article_record())
    writer = WriterFixture("o-1")
    order, changed = writer.register(order_of_contact(), CONFIRM), writer.change_status(CONFIRM)
    await harness.store([order, changed])

    assert await twice(harness.sweeper()) == 2

    assert await harness.stages(order) == ("done", "fired")
    assert await harness.stages(changed) == ("done", "fired")
    assert (
        len({it["actionId"] for it in harness.publisher.on(ACTIONS.name)}) == 2
    )  # one of them again


async def test_the_sweep_heals_what_a_lost_contact_left_and_finishes_what_a_dead_worker_began(
    harness: EnricherHarness,
) -> None:
    orders = [waiting(f"o-{number}")[1] for number in range(2)]
    await harness.handle(*orders)
    await harness.store_references_only(contact_record(email="ann@x.se"))
    with pytest.raises(WorkerDied):
        await harness.reconciler(dying_database(harness.database, 2))(["o-1"], NOW)

    assert await sweep_and_again(harness) > 0

    assert [await harness.stages(it) for it in orders] == [("done", "fired")] * 2
    assert (
        len({it["actionId"] for it in harness.publisher.on(ACTIONS.name)}) == 2
    )  # one of them again


async def sweep_and_again(harness: EnricherHarness) -> float:
    sweep, before, now = harness.sweeper(), repaired(), NOW + timedelta(hours=1)
    await sweep(now)
    await sweep(now + GRACE)
    return repaired() - before


async def test_the_sweep_removes_the_link_of_an_order_that_is_gone(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), article_record())
    writer = WriterFixture("o-1")
    await harness.handle(writer.register(order_of_contact()))
    await harness.store([writer.delete()])

    assert await twice(harness.sweeper()) == 1

    assert await harness.database[LINKS].count_documents({}) == 0


async def test_the_sweep_repairs_nothing_while_the_enricher_is_behind(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), article_record())
    await harness.store([WriterFixture("o-1").register(order_of_contact())])

    assert await twice(harness.sweeper(no)) == 0
