"""What a batch of new orders costs: no statement for each of them, and few round trips."""

from __future__ import annotations

from order_runtime.mongo.client import AGREEMENTS, ENRICHMENTS, LINKS
from support.builders.writer_fixtures import WriterFixture, read_back
from support.growth.profile import Profile
from support.growth.round_trips import round_trips
from support.harness.enricher_harness import (
    CONFIRM,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.running_stack import RunningStack

ORDERS = 50
ROUND_TRIPS = 18


async def test_the_first_links_of_orders_are_inserted_at_once(
    harness: EnricherHarness, stack: RunningStack
) -> None:
    """An upsert each cost more than all else that MongoDB does for a new order."""
    await harness.add_references(contact_record(), article_record())
    body = order_of_contact()
    written = [WriterFixture(f"o-{it}").register(body, CONFIRM) for it in range(ORDERS)]
    await harness.store(written)

    name = harness.database.name
    with Profile(stack.mongo, name) as profile, round_trips(name) as commands:
        await harness.handle_events([read_back(it.event) for it in written])

    for collection in (AGREEMENTS, LINKS, ENRICHMENTS):
        found = profile.operations(collection)
        assert (found.get("insert"), found.get("update")) == (1, None), collection
        assert profile.of(collection).written == ORDERS
    assert sum(commands.values()) <= ROUND_TRIPS, commands
