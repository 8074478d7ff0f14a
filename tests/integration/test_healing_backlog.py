"""What operators wait for: that the enricher's queue is done with what it held."""

from __future__ import annotations

import pytest

from order_operations.connections.system_address import MongoAddress
from order_operations.problems import OperationFailed
from order_operations.reference.healing_backlog import wait_until_erased, wait_until_healed
from support.builders.writer_fixtures import reference_record
from support.harness.enricher_harness import (
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
)
from support.stack.running_stack import RunningStack


def address(stack: RunningStack, harness: EnricherHarness) -> MongoAddress:
    return MongoAddress(stack.mongo, harness.database.name)


async def test_a_load_that_waits_returns_when_all_is_healed(
    stack: RunningStack, harness: EnricherHarness
) -> None:
    """And says how much is left where that is not in time."""
    wait_until_healed(address(stack, harness), 0)
    await harness.record_references([article_record()])

    with pytest.raises(OperationFailed, match="of 1 changes"):
        wait_until_healed(address(stack, harness), 0)
    await harness.heal()
    wait_until_healed(address(stack, harness), 0)


async def test_an_erasure_is_pending_until_all_portions_are_done(
    stack: RunningStack, harness: EnricherHarness
) -> None:
    """What other contacts left in the queue is none of it."""
    await harness.add_references(contact_record("c-1"), contact_record("c-2"))
    await harness.record_references([reference_record("reference.contacts", "c-1", None)])
    await harness.record_references([contact_record("c-2")])

    assert wait_until_erased(address(stack, harness), "c-1", 0) == 1
    assert wait_until_erased(address(stack, harness), "c-2", 0) == 0
    await harness.heal(now=NOW)
    assert wait_until_erased(address(stack, harness), "c-1", 0) == 0
