"""What an order lacks costs the log no more than fifty entries of a job, and no old entry again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from order_runtime.mongo.client import INTEGRATION_LOG, Document
from support.builders.bodies import Json, line
from support.builders.writer_fixtures import WriterFixture, WrittenCommand, read_back
from support.growth.profile import Profile, Work
from support.harness.enricher_harness import (
    EnricherHarness,
    MakeHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.running_stack import RunningStack

OPEN: Document = {"code": "ArticleMissing", "resolvedAt": None}


def order_of_skus(count: int, **deviations: Any) -> Json:
    lines = [line(sku=f"sku-{at:04}") for at in range(count)]
    return order_of_contact(lines=lines, **deviations)


async def entries(harness: EnricherHarness, **where: Any) -> list[tuple[str | None, str]]:
    """Return the reference, or the message where there is none, of the open entries."""
    found = harness.database[INTEGRATION_LOG].find({**OPEN, **where}).sort("reference")
    return [(it.get("reference"), it["message"]) async for it in found]


async def work_of(stack: RunningStack, harness: EnricherHarness, written: WrittenCommand) -> Work:
    await harness.store([written])
    with Profile(stack.mongo, harness.database.name) as profile:
        await harness.handle_events([read_back(written.event)])
    return profile.of(INTEGRATION_LOG)


async def test_of_a_thousand_missing_articles_fifty_entries_are_logged_the_last_says_how_many_more(
    harness: EnricherHarness,
) -> None:
    """
    The order itself tells of all of them.
    """
    await harness.add_references(contact_record())
    await harness.handle(WriterFixture("o-1").register(order_of_skus(1_000)))

    logged = await entries(harness)
    link = await harness.link("o-1")
    assert [it for it, _ in logged] == [None, *(f"sku-{at:04}" for at in range(49))]
    assert logged[0][1] == "A line of the order names an article that is not known, and 951 more."
    assert link is not None
    assert len(link["missing"]) == 1_000


async def test_the_entry_of_further_articles_is_open_while_one_of_them_is_missing(
    harness: EnricherHarness,
) -> None:
    """
    Those that have entries of their own say nothing about it.
    """
    writer = WriterFixture("o-1")
    await harness.add_references(contact_record())
    await harness.handle(writer.register(order_of_skus(52)))

    await harness.handle_references([article_record(f"sku-{at:04}") for at in (0, 49, 50)])
    assert (await entries(harness))[0][1].endswith("and 3 more.")
    assert len(await entries(harness)) == 49

    await harness.handle_references([article_record("sku-0051")])
    assert [it for it, _ in await entries(harness)] == [f"sku-{at:04}" for at in range(1, 49)]

    await harness.handle(writer.replace(order_of_skus(1)))
    assert await entries(harness) == []


async def test_a_replaced_order_tells_of_further_articles_anew(harness: EnricherHarness) -> None:
    """
    The entry is of one version of the order; entries of articles stay open for the order.
    """
    writer = WriterFixture("o-1")
    await harness.add_references(contact_record())
    first, second = writer.register(order_of_skus(60)), writer.replace(order_of_skus(70))
    await harness.handle(first)
    await harness.handle(second)

    assert len(await entries(harness, jobId=first.job_id)) == 49
    assert [message for it, message in await entries(harness) if it is None] == [
        "A line of the order names an article that is not known, and 21 more."
    ]


@pytest.mark.parametrize(
    ("few", "many"),
    [(5, 50), pytest.param(50, 500, marks=[pytest.mark.faults, pytest.mark.timeout(600)])],
)
async def test_a_replacement_costs_the_log_the_same_however_often_the_order_was_replaced(
    stack: RunningStack, make_harness: MakeHarness, few: int, many: int
) -> None:
    """
    Entries that stay open, since the order still lacks the same, are not read again.
    """
    costs = []
    for count in (few, many):
        harness, writer = await make_harness(), WriterFixture("o-1")
        await harness.handle(writer.register(order_of_skus(60)))
        for _ in range(count):
            await harness.handle(writer.replace(order_of_skus(60)))
        costs.append(await work_of(stack, harness, writer.replace(order_of_skus(60))))

    assert replace(costs[1], keys=costs[0].keys) == costs[0]
    assert abs(costs[1].keys - costs[0].keys) < 10
    assert costs[0].examined < 10
    assert costs[0].written == 51 + 1, "its own entries, and the resolved one of further articles"
