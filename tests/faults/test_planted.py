"""
Planted bugs, one at a time: the check of the history names the law that each breaks.

The counterparts show that the same scenarios without a bug, and crashes at any step, break none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.faults.forged_records import forged_record
from support.history.collector import collect
from support.history.journal import Journal
from support.history.quiescence import lagging_group, open_work, wait_until_quiet
from support.laws.all_laws import check, report
from support.load.command_encoders import raw_record_of
from support.load.command_generator import CommandGenerator
from support.load.external_publisher import ExternalPublisher
from support.model.model import DELETE, REGISTER, STATUS, ModelCommand
from support.stack.process_slot import ProcessSlot, process_slot
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

STEPS = (
    "taken",
    "find jobs",
    "find orders",
    "find idempotency",
    "insert orders",
    "update orders",
    "insert jobs",
    "update dead_letters",
    "update consumer_offsets",
    "before commitTransaction",
    "commitTransaction",
    "produce 1",
    "produce 10",
    "flush",
    "before commit",
    "commit",
)
ENRICHER_STEPS = (
    "find orders",
    "insert links",
    "insert agreements",
    "insert enrichments",
    "produce 1",
    "produce 10",
    "before update jobs",
    "update jobs",
    "update consumer_offsets",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own: the bugs leave wrong data behind."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture(scope="module")
def known(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The `contact` of orders whose contact exists."""
    contact = contact_body()
    file = tmp_path_factory.mktemp("contacts") / "contacts.ndjson"
    file.write_text(json.dumps(contact))
    stack.orders("reference", "load", "--wait", str(file))
    return matching(contact)


@pytest.fixture(scope="module")
def slot(stack: RunningStack) -> Iterator[ProcessSlot]:
    """The order-writer's slot; no order-writer runs when a test begins."""
    with process_slot(stack, "order-writer", BATCH_COMMANDS="20") as found:
        yield found


@pytest.mark.parametrize("step", STEPS)
def test_a_writer_that_dies_at_any_step_breaks_no_law(
    stack: RunningStack, known: Json, slot: ProcessSlot, tmp_path: Path, step: str
) -> None:
    """
    The backlog has all kinds of commands, repeats and bad records.
    """
    slot.stop()
    journal, order_ids = Journal(), [unique("dying") for _ in range(6)]
    publisher = ExternalPublisher(stack.kafka, journal)
    generator = CommandGenerator(Random(step), order_ids, [known])
    for _ in range(150):
        publisher.send(generator.next_record())
    assert publisher.flush() == 0

    with journal.fault(f"the order-writer dies: {step}"):
        slot.run("faults.planted.crash_at_step", "order_writer", step, str(tmp_path / "dead"))
        slot.wait_for_sigkill()
        slot.run("order_writer")

    wait_until_quiet(stack, order_ids)
    violations = check(collect(stack, journal).of(order_ids))
    assert not violations, report(violations)


@pytest.mark.parametrize("step", ENRICHER_STEPS)
def test_an_enricher_that_dies_at_any_step_breaks_no_law(
    stack: RunningStack, known: Json, slot: ProcessSlot, tmp_path: Path, step: str
) -> None:
    """
    While it is down, the orders that it had read are replaced and deleted.
    """
    slot.run("order_writer")
    journal, order_ids = Journal(), [unique("dying") for _ in range(20)]
    publisher = ExternalPublisher(stack.kafka, journal)
    generator = CommandGenerator(Random(step), order_ids, [known])
    with process_slot(stack, "enricher") as enricher:
        for order_id in order_ids:
            publisher.send(
                raw_record_of(replace(generator.command(order_id, REGISTER), job_id=order_id))
            )
        assert publisher.flush() == 0
        until(
            lambda: lagging_group(stack, ["order-writer"]) is None,
            seconds=60,
            of="the order-writer",
        )
        with journal.fault(f"the enricher dies: {step}"):
            enricher.run("faults.planted.crash_at_step", "enricher", step, str(tmp_path / "dead"))
            enricher.wait_for_sigkill()
            for _ in range(60):
                publisher.send(generator.next_record())
            assert publisher.flush() == 0
            until(
                lambda: lagging_group(stack, ["order-writer"]) is None, seconds=60, of="the writer"
            )
            enricher.run("enricher")
            wait_until_quiet(stack, order_ids)

    violations = check(collect(stack, journal).of(order_ids))
    assert not violations, report(violations)


def test_an_action_that_was_fired_is_not_called_dropped(
    stack: RunningStack, known: Json, slot: ProcessSlot, tmp_path: Path
) -> None:
    """
    The enricher dies after it published the action; the order is deleted before it restarts.
    """
    scenario = Scenario(stack, known, slot)
    slot.run("order_writer")
    with process_slot(stack, "enricher") as enricher:
        scenario.publish(scenario.registration())
        dead = str(tmp_path / "dead")
        enricher.run("faults.planted.crash_at_step", "enricher", "before update jobs", dead)
        enricher.wait_for_sigkill()
        scenario.publish(replace(scenario.registration(), kind=DELETE, body={}))
        until(
            lambda: lagging_group(stack, ["order-writer"]) is None,
            seconds=60,
            of="the order-writer",
        )
        enricher.run("enricher")
        assert scenario.broken_laws() == set()


def test_committing_before_the_effects_is_found(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    scenario = Scenario(stack, known, slot)
    slot.stop()
    scenario.publish(scenario.registration())
    slot.run("faults.planted.buggy_writer", "commits-first")
    slot.wait_for_sigkill()
    slot.run("order_writer")

    assert scenario.broken_laws() == {"every_command_has_one_job"}


def test_applying_a_known_command_again_is_found(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    scenario = Scenario(stack, known, slot)
    change = replace(scenario.registration(), kind=STATUS, job_id=str(uuid4()), body=COMPLETED)
    slot.run("faults.planted.buggy_writer", "forgets-the-ledger")
    scenario.publish(scenario.registration(), change)
    scenario.wait_until_caught_up()
    scenario.publish(change)

    assert scenario.broken_laws() == {"every_command_is_applied_once"}


def test_not_announcing_a_repeat_again_is_found(
    stack: RunningStack, known: Json, slot: ProcessSlot, tmp_path: Path
) -> None:
    """After a crash between storing and announcing, the next writer skips what is stored."""
    scenario = Scenario(stack, known, slot)
    slot.stop()
    scenario.publish(scenario.registration())
    dead = str(tmp_path / "dead")
    slot.run("faults.planted.crash_at_step", "order_writer", "commitTransaction", dead)
    slot.wait_for_sigkill()
    slot.run("faults.planted.buggy_writer", "skips-what-it-knows")

    assert scenario.broken_laws() == {"every_outcome_is_announced"}


def test_overwriting_an_order_that_exists_is_found(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    scenario = Scenario(stack, known, slot)
    slot.run("faults.planted.buggy_writer", "overwrites")
    scenario.publish(scenario.registration())
    scenario.wait_until_caught_up()
    scenario.publish(scenario.registration())

    assert scenario.broken_laws() == {"only_one_order_is_ever_created"}


def test_versions_that_begin_anew_are_found(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    scenario = Scenario(stack, known, slot)
    slot.run("faults.planted.buggy_writer", "begins-anew")
    deletion = replace(scenario.registration(), kind=DELETE, job_id=str(uuid4()), body={})
    scenario.publish(scenario.registration(), deletion)
    scenario.wait_until_caught_up()
    scenario.publish(scenario.registration())

    assert scenario.broken_laws() == {"versions_only_grow"}


def test_stopping_at_a_forged_command_is_found(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    """
    It believes the source. The command behind the forged one isn't applied either.
    """
    scenario = Scenario(stack, known, slot)
    slot.run("faults.planted.buggy_writer", "believes-the-source")
    scenario.publish_forged()
    scenario.publish(scenario.registration())
    slot.wait_for_end()

    assert scenario.broken_laws_now() == {"every_command_has_one_job"}
    slot.run("order_writer")
    assert scenario.broken_laws() == set()


def test_acknowledging_an_action_before_it_is_recorded_is_found(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    scenario = Scenario(stack, known, slot)
    slot.run("order_writer")
    with process_slot(stack, "action-trigger") as trigger:
        trigger.run("faults.planted.buggy_trigger")
        scenario.publish(scenario.registration())
        scenario.wait_until_caught_up()

    assert scenario.broken_laws() == {"every_due_action_was_delivered"}


def test_the_same_stories_without_a_bug_break_no_law(
    stack: RunningStack, known: Json, slot: ProcessSlot
) -> None:
    scenario = Scenario(stack, known, slot)
    slot.run("order_writer")
    deletion = replace(scenario.registration(), kind=DELETE, job_id=str(uuid4()), body={})
    change = replace(scenario.registration(), kind=STATUS, job_id=str(uuid4()), body=COMPLETED)
    scenario.publish(scenario.registration(), change, scenario.registration())
    scenario.wait_until_caught_up()
    scenario.publish(change, deletion, scenario.registration())

    assert scenario.broken_laws() == set()


COMPLETED = {"status": "Completed", "lastChangedAt": "2025-11-28T10:00:00Z"}


class Scenario:
    """One order with an action, and the laws that its history breaks."""

    def __init__(self, stack: RunningStack, known: Json, slot: ProcessSlot) -> None:
        self._stack, self._seat = stack, slot
        self._journal = Journal()
        self._publisher = ExternalPublisher(stack.kafka, self._journal)
        self._order_id = unique("planted")
        self._contact = known

    def registration(self) -> ModelCommand:
        action = {"action": "ConfirmOrder"}
        body = order_body(self._order_id, contact=self._contact, orderAction=action)
        return ModelCommand(REGISTER, self._order_id, str(uuid4()), body)

    def publish(self, *commands: ModelCommand) -> None:
        for command in commands:
            self._publisher.send(raw_record_of(command))
        assert self._publisher.flush() == 0

    def publish_forged(self) -> None:
        """Publish a record of the order that says a gateway sent it, and can't be read."""
        self._publisher.send(forged_record(self._order_id, b"{not json", str(uuid4())))
        assert self._publisher.flush() == 0

    def wait_until_caught_up(self) -> None:
        """Wait until no group has any lag."""
        until(lambda: lagging_group(self._stack) is None, seconds=60, of=self._seat.tail())

    def broken_laws(self) -> set[str]:
        """Return the names of the broken laws, once no delivery is open."""
        self.wait_until_caught_up()
        own = self._order_id
        until(lambda: open_work(self._stack, [own], ["deliveries"]) is None, of="deliveries")
        return self.broken_laws_now()

    def broken_laws_now(self) -> set[str]:
        """Return the names of the broken laws, whatever is still open."""
        violations = check(collect(self._stack, self._journal).of([self._order_id]))
        print(report(violations))
        return {it.law for it in violations}
