"""What arrives after its order heals it: link, jobs, log, held actions; and the sweep behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from enricher import metrics
from enricher.app.sweeper import GRACE, Sweeper
from order_contracts.topics import ACTIONS, CONTACTS, ENRICHED
from order_runtime.mongo.client import HELD, INTEGRATION_LOG, LINKS
from support.builders.bodies import Json, line
from support.builders.writer_fixtures import AT, WriterFixture, WrittenCommand, reference, taken
from support.stack.enricher_harness import (
    CONFIRM,
    DAY,
    NOW,
    EnricherHarness,
    MakeHarness,
    WorkerDied,
    article,
    body,
    contact,
    mortal,
    store,
)

WRITES_OF_AN_ARRIVAL = 6
CANCEL: Json = {"action": "ConfirmCancellation"}


def waiting(
    order_id: str = "o-1", action: Json | None = CONFIRM
) -> tuple[WriterFixture, WrittenCommand]:
    """Return an order whose contact, article and store are all still to come."""
    writer = WriterFixture(order_id)
    lacking = body("ann@x.se", "Email", externalStoreId="shop", language="sv")
    return writer, writer.register(lacking, action)


async def state(place: EnricherHarness, written: WrittenCommand) -> str | None:
    held = await place.database[HELD].find_one({"jobId": written.job_id})
    return held["state"] if held else None


async def test_a_contact_that_arrives_later_heals_its_order(place: EnricherHarness) -> None:
    _, order = waiting()
    await place.handle(order)

    await place.knows(contact(email="Ann@X.se"))

    assert await place.stages(order) == ("done", "fired")
    link = await place.link("o-1")
    assert link is not None
    assert (link["contactId"], [it["code"] for it in link["missing"]]) == (
        "c-1",
        ["ArticleMissing", "StoreMissing"],
    )
    [action] = place.topics.on(ACTIONS.name)
    assert (action["jobId"], action["contactId"]) == (order.job_id, "c-1")
    assert (action["order"]["contactId"], action["language"]) == ("c-1", "sv")
    first, healed = place.topics.on(ENRICHED.name)
    assert ("contactId" in first, healed["contactId"]) == (False, "c-1")
    assert len(set(place.topics.ids())) == 3


async def test_an_article_and_a_store_that_arrive_later_close_their_entries(
    place: EnricherHarness,
) -> None:
    _, order = waiting(action=None)
    await place.handle(order)

    await place.knows(article())
    assert await place.codes() == [("ContactMissing", "Email"), ("StoreMissing", "shop")]
    await place.knows(store("shop"), contact(email="ann@x.se"))

    assert await place.codes() == []
    assert await place.stages(order) == ("done", "none")
    entries = await place.database[INTEGRATION_LOG].find().to_list()
    assert {it["resolvedAt"] for it in entries} == {NOW}
    link = await place.link("o-1")
    assert link is not None
    assert ("waitsFor" in link, link["missing"]) == (False, [])


async def test_all_jobs_that_lacked_the_contact_are_completed_but_a_triggered_action(
    place: EnricherHarness,
) -> None:
    """It was answered: failed, and whoever asked may ask again."""
    writer, order = waiting()
    await place.handle(order)
    changed, asked = writer.change({"action": "ConfirmShipment"}), writer.ask(CONFIRM)
    await place.handle(changed, asked)

    await place.knows(contact(email="ann@x.se"))

    assert await place.stages(order) == ("done", "fired")
    assert await place.stages(changed) == ("done", "fired")
    assert await place.stages(asked) == ("contactMissing", "dropped")
    fired = [it["jobId"] for it in place.topics.on(ACTIONS.name)]
    assert fired == [order.job_id, changed.job_id]
    assert await place.codes() == [("ArticleMissing", "mug"), ("StoreMissing", "shop")]


OUTDATING: dict[str, Callable[[WriterFixture], WrittenCommand]] = {
    "deleted": lambda writer: writer.delete(),
    "replaced": lambda writer: writer.replace(body("ann@x.se", "Email")),
    "cancelled": lambda writer: writer.cancel(),
    "asked-again": lambda writer: writer.change(CONFIRM),
}


@pytest.mark.parametrize("handled", [True, False], ids=["seen", "not-seen-yet"])
@pytest.mark.parametrize("outdate", OUTDATING.values(), ids=OUTDATING)
async def test_a_held_action_is_dropped_if_its_order_moved_on(
    place: EnricherHarness, outdate: Callable[[WriterFixture], WrittenCommand], handled: bool
) -> None:
    """Whether the enricher has heard of it or not: what is stored decides."""
    writer, order = waiting()
    await place.handle(order)
    later = outdate(writer)
    await place.store([later])
    if handled:
        await place.enrich([taken(later.event)])

    await place.knows(contact(email="ann@x.se"))
    await place.enrich([taken(later.event)])

    assert await state(place, order) == "dropped"
    assert (await place.stages(order))[1] == "dropped"
    assert ("ActionDropped", None) in await place.codes()
    fired = [it["jobId"] for it in place.topics.on(ACTIONS.name)]
    assert fired == ([later.job_id] if "action" in later.job else [])


async def test_the_action_of_a_cancellation_itself_fires(place: EnricherHarness) -> None:
    writer, order = waiting(action=None)
    cancelled = writer.cancel(CANCEL)
    await place.handle(order, cancelled)

    await place.knows(contact(email="ann@x.se"))

    assert await place.stages(cancelled) == ("done", "fired")


async def test_an_order_that_was_registered_as_cancelled_fires_its_action(
    place: EnricherHarness,
) -> None:
    order = WriterFixture("o-1").register(body("ann@x.se", "Email", status="Cancelled"), CANCEL)
    await place.handle(order)

    await place.knows(contact(email="ann@x.se"))

    assert await place.stages(order) == ("done", "fired")


async def test_custom_actions_are_the_same_only_with_the_same_data(place: EnricherHarness) -> None:
    writer, order = waiting(action={"action": "Custom", "data": {"step": 1}})
    other = writer.change({"action": "Custom", "data": {"step": 2}})
    await place.handle(order, other)

    await place.knows(contact(email="ann@x.se"))

    assert [await state(place, it) for it in (order, other)] == ["fired", "fired"]


async def test_after_the_window_the_order_heals_and_its_action_is_dropped(
    place: EnricherHarness,
) -> None:
    _, order = waiting()
    await place.handle(order)

    await place.knows(contact(email="ann@x.se"), now=AT + DAY)

    assert await place.stages(order) == ("done", "dropped")
    assert place.topics.on(ACTIONS.name) == []


@pytest.mark.parametrize("handled", [True, False], ids=["seen", "not-seen-yet"])
async def test_deleting_creating_the_contact_and_registering_again_fires_one_action(
    place: EnricherHarness, handled: bool
) -> None:
    """The documented way out; the contact may be seen before the deletion is."""
    writer, first = waiting()
    await place.handle(first)
    deleted = writer.delete()
    await place.store([deleted])
    if handled:
        await place.enrich([taken(deleted.event)])
    await place.knows(contact(email="ann@x.se"))
    if not handled:
        await place.enrich([taken(deleted.event)])

    second = writer.register(body("ann@x.se", "Email"), CONFIRM)
    await place.handle(second)

    assert [it["jobId"] for it in place.topics.on(ACTIONS.name)] == [second.job_id]
    assert await place.stages(first) == ("contactMissing", "dropped")
    assert await place.stages(second) == ("done", "fired")


async def test_a_deletion_leaves_no_entry_open(place: EnricherHarness) -> None:
    writer, order = waiting(action=None)
    await place.handle(order)

    await place.handle(writer.delete())

    assert await place.codes() == []


async def test_a_replacement_closes_what_it_mends(place: EnricherHarness) -> None:
    await place.knows(contact(), article())
    writer, order = waiting(action=None)
    await place.handle(order)

    await place.handle(writer.replace(body(externalStoreId="shop")))

    assert set(await place.codes()) == {("StoreMissing", "shop")}


@pytest.mark.parametrize("ends", ["deleted", "renamed"])
async def test_an_ambiguity_that_ends_heals(place: EnricherHarness, ends: str) -> None:
    """What a contact is known by no more is looked at as well."""
    await place.knows(contact("c-1", email="ann@x.se"), contact("c-2", email="ann@x.se"))
    _, order = waiting()
    await place.handle(order)
    assert ("ContactAmbiguous", "Email") in await place.codes()

    gone = reference(CONTACTS.name, "c-2", None)
    await place.knows(gone if ends == "deleted" else contact("c-2", email="bob@x.se"))

    assert await place.stages(order) == ("done", "fired")
    assert ("ContactAmbiguous", "Email") not in await place.codes()
    assert await place.database["contacts"].count_documents({"formerKeys": "Email:ann@x.se"}) == 0


async def test_a_missing_contact_that_turns_out_to_be_two_is_said_to_be(
    place: EnricherHarness,
) -> None:
    _, order = waiting()
    await place.handle(order)
    await place.keeps(contact("c-1", email="ann@x.se"))

    await place.knows(contact("c-2", email="ann@x.se"))

    assert ("ContactAmbiguous", "Email") in await place.codes()
    assert ("ContactMissing", "Email") not in await place.codes()
    assert await place.stages(order) == ("contactMissing", "held")


async def test_what_is_linked_stays_linked(place: EnricherHarness) -> None:
    """A contact that changes its keys, or gets a namesake, keeps the orders that it has."""
    await place.knows(contact(email="ann@x.se"))
    _, order = waiting()
    await place.handle(order)

    await place.knows(contact(email="new@x.se"), contact("c-2", email="ann@x.se"))
    await place.knows(article())

    link = await place.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-1"


async def test_a_contact_of_another_type_heals_nothing(place: EnricherHarness) -> None:
    _, order = waiting()
    await place.handle(order)

    await place.knows(contact(email="ann@x.se", contactType="Company"))

    assert await place.stages(order) == ("contactMissing", "held")


@pytest.mark.parametrize("writes", range(WRITES_OF_AN_ARRIVAL + 1))
async def test_a_crash_between_any_two_writes_of_an_arrival_loses_nothing(
    make: MakeHarness, writes: int
) -> None:
    calm, stormy = await make(), await make()
    _, order = waiting()
    arrived = contact(email="ann@x.se")
    for it in (calm, stormy):
        await it.handle(order)
    await calm.knows(arrived)

    dies = writes < WRITES_OF_AN_ARRIVAL
    if dies:
        with pytest.raises(WorkerDied):
            await stormy.knows(arrived, database=mortal(stormy.database, writes))
    await stormy.knows(arrived)

    assert await stormy.dump() == await calm.dump()
    assert set(stormy.topics.ids()) == set(calm.topics.ids())


def repaired() -> float:
    return sum(
        sample.value
        for metric in metrics.REPAIRED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def yes(_: datetime) -> bool:
    return True


async def no(_: datetime) -> bool:
    return False


def sweep_of(place: EnricherHarness, caught_up: Callable[[datetime], object] = yes) -> Sweeper:
    return Sweeper(place.database, place.enriching(), place.tend(), caught_up)  # type: ignore[arg-type]


async def twice(sweep: Sweeper, now: datetime = NOW + timedelta(hours=1)) -> float:
    """Sweep, and again when what is seen may be called lost; return how much was repaired."""
    before = repaired()
    await sweep(now)
    assert repaired() == before
    await sweep(now + GRACE)
    return repaired() - before


async def test_the_sweep_drops_what_was_held_too_long(place: EnricherHarness) -> None:
    _, order = waiting()
    await place.handle(order)
    before = repaired()

    await sweep_of(place, no)(AT + DAY)

    assert await place.stages(order) == ("contactMissing", "dropped")
    assert ("ActionDropped", None) in await place.codes()
    assert repaired() == before


async def test_the_sweep_finds_nothing_in_a_healthy_system(place: EnricherHarness) -> None:
    _, held = waiting("o-1")
    linked, gone = WriterFixture("o-2"), WriterFixture("o-3")
    await place.knows(contact())
    await place.handle(held, linked.register(body(lines=[line(sku="cup")]), CONFIRM))
    await place.handle(gone.register(body()), gone.delete(), linked.change())
    before = await place.dump()

    assert await twice(sweep_of(place)) == 0

    assert await place.dump() == before


async def test_the_sweep_does_what_a_lost_event_would_have_done(place: EnricherHarness) -> None:
    await place.knows(contact(), article())
    writer = WriterFixture("o-1")
    order, changed = writer.register(body(), CONFIRM), writer.change(CONFIRM)
    await place.store([order, changed])

    assert await twice(sweep_of(place)) == 2

    assert await place.stages(order) == ("done", "fired")
    assert await place.stages(changed) == ("done", "fired")
    assert len({it["actionId"] for it in place.topics.on(ACTIONS.name)}) == 2  # one of them again


async def test_the_sweep_heals_what_a_lost_contact_left_and_finishes_what_a_dead_worker_began(
    place: EnricherHarness,
) -> None:
    orders = [waiting(f"o-{number}")[1] for number in range(2)]
    await place.handle(*orders)
    await place.keeps(contact(email="ann@x.se"))
    with pytest.raises(WorkerDied):
        await place.tend(mortal(place.database, 2))(["o-1"], NOW)

    assert await sweep_and_again(place) > 0

    assert [await place.stages(it) for it in orders] == [("done", "fired")] * 2
    assert len({it["actionId"] for it in place.topics.on(ACTIONS.name)}) == 2  # one of them again


async def sweep_and_again(place: EnricherHarness) -> float:
    sweep, before, now = sweep_of(place), repaired(), NOW + timedelta(hours=1)
    await sweep(now)
    await sweep(now + GRACE)
    return repaired() - before


async def test_the_sweep_removes_the_link_of_an_order_that_is_gone(place: EnricherHarness) -> None:
    await place.knows(contact(), article())
    writer = WriterFixture("o-1")
    await place.handle(writer.register(body()))
    await place.store([writer.delete()])

    assert await twice(sweep_of(place)) == 1

    assert await place.database[LINKS].count_documents({}) == 0


async def test_the_sweep_repairs_nothing_while_the_enricher_is_behind(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(), article())
    await place.store([WriterFixture("o-1").register(body())])

    assert await twice(sweep_of(place, no)) == 0
