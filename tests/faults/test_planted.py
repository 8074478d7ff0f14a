"""
Bugs that the system must not have, planted one at a time: the history checker names each.

Each of them stands in for one bug of the real thing: what is done to a system without it, a writer
that dies at any step among that, breaks no law.
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
from support.laws.all_laws import check, report
from support.laws.history import behind, collect, open_work, quiet
from support.load.command_encoders import record_of
from support.load.journal import Journal
from support.load.publishing import Publishing
from support.load.shop import Shop
from support.model.model import DELETE, REGISTER, STATUS, Command
from support.stack.process_slot import ProcessSlot, process_slot
from support.stack.running_stack import RunningStack, running
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
    "update links",
    "produce 1",
    "produce 10",
    "before update jobs",
    "update jobs",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One of its own: what the bugs leave behind, reading everything again would mend."""
    with running(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture(scope="module")
def known(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The `contact` of orders whose contact exists."""
    contact = contact_body()
    file = tmp_path_factory.mktemp("contacts") / "contacts.ndjson"
    file.write_text(json.dumps(contact))
    stack.orders("reference", "load", str(file))
    return matching(contact)


@pytest.fixture(scope="module")
def seat(stack: RunningStack) -> Iterator[ProcessSlot]:
    """The order-writer's; it is empty when a test begins."""
    with process_slot(stack, "order-writer", BATCH_COMMANDS="20") as found:
        yield found


@pytest.mark.parametrize("step", STEPS)
def test_a_writer_that_dies_at_any_step_breaks_no_law(
    stack: RunningStack, known: Json, seat: ProcessSlot, tmp_path: Path, step: str
) -> None:
    """
    A backlog of all commands, repeats and bad records; the writer dies at one step of its batch.
    """
    seat.leave()
    journal, order_ids = Journal(), [unique("dying") for _ in range(6)]
    publishing = Publishing(stack.kafka, journal)
    shop = Shop(Random(step), order_ids, [known])
    for _ in range(150):
        publishing.send(shop.wish())
    assert publishing.flush() == 0

    with journal.fault(f"the order-writer dies: {step}"):
        seat.take("faults.planted.dying", "order_writer", step, str(tmp_path / "dead"))
        seat.await_death()
        seat.take("order_writer")

    quiet(stack, order_ids)
    violations = check(collect(stack, journal).of(order_ids))
    assert not violations, report(violations)


@pytest.mark.parametrize("step", ENRICHER_STEPS)
def test_an_enricher_that_dies_at_any_step_breaks_no_law(
    stack: RunningStack, known: Json, seat: ProcessSlot, tmp_path: Path, step: str
) -> None:
    """
    It dies with what the orders were in hand; until it is back they are replaced and deleted.
    """
    seat.take("order_writer")
    journal, order_ids = Journal(), [unique("dying") for _ in range(20)]
    publishing = Publishing(stack.kafka, journal)
    shop = Shop(Random(step), order_ids, [known])
    with process_slot(stack, "enricher") as enricher:
        for order_id in order_ids:
            publishing.send(record_of(replace(shop.command(order_id, REGISTER), job_id=order_id)))
        assert publishing.flush() == 0
        until(lambda: behind(stack, ["order-writer"]) is None, seconds=60, of="the order-writer")
        with journal.fault(f"the enricher dies: {step}"):
            enricher.take("faults.planted.dying", "enricher", step, str(tmp_path / "dead"))
            enricher.await_death()
            for _ in range(60):
                publishing.send(shop.wish())
            assert publishing.flush() == 0
            until(lambda: behind(stack, ["order-writer"]) is None, seconds=60, of="the writer")
            enricher.take("enricher")
            quiet(stack, order_ids)

    violations = check(collect(stack, journal).of(order_ids))
    assert not violations, report(violations)


def test_an_action_that_was_fired_is_not_called_dropped(
    stack: RunningStack, known: Json, seat: ProcessSlot, tmp_path: Path
) -> None:
    """
    The enricher dies once the action is on its way; before it is back the order is deleted.
    """
    story = Story(stack, known, seat)
    seat.take("order_writer")
    with process_slot(stack, "enricher") as enricher:
        story.publish(story.registration())
        dead = str(tmp_path / "dead")
        enricher.take("faults.planted.dying", "enricher", "before update jobs", dead)
        enricher.await_death()
        story.publish(replace(story.registration(), kind=DELETE, body={}))
        until(lambda: behind(stack, ["order-writer"]) is None, seconds=60, of="the order-writer")
        enricher.take("enricher")
        assert story.broken() == set()


def test_committing_before_the_effects_is_found(
    stack: RunningStack, known: Json, seat: ProcessSlot
) -> None:
    story = Story(stack, known, seat)
    seat.leave()
    story.publish(story.registration())
    seat.take("faults.planted.writer", "commits-first")
    seat.await_death()
    seat.take("order_writer")

    assert story.broken() == {"every_command_has_one_job"}


def test_applying_a_known_command_again_is_found(
    stack: RunningStack, known: Json, seat: ProcessSlot
) -> None:
    story = Story(stack, known, seat)
    change = replace(story.registration(), kind=STATUS, job_id=str(uuid4()), body=COMPLETED)
    seat.take("faults.planted.writer", "forgets-the-ledger")
    story.publish(story.registration(), change)
    story.caught_up()
    story.publish(change)

    assert story.broken() == {"every_command_is_applied_once"}


def test_not_announcing_a_repeat_again_is_found(
    stack: RunningStack, known: Json, seat: ProcessSlot, tmp_path: Path
) -> None:
    """The crash falls between storing and announcing; whoever comes after skips what is stored."""
    story = Story(stack, known, seat)
    seat.leave()
    story.publish(story.registration())
    dead = str(tmp_path / "dead")
    seat.take("faults.planted.dying", "order_writer", "commitTransaction", dead)
    seat.await_death()
    seat.take("faults.planted.writer", "skips-what-it-knows")

    assert story.broken() == {"every_outcome_is_announced"}


def test_overwriting_an_order_that_exists_is_found(
    stack: RunningStack, known: Json, seat: ProcessSlot
) -> None:
    story = Story(stack, known, seat)
    seat.take("faults.planted.writer", "overwrites")
    story.publish(story.registration())
    story.caught_up()
    story.publish(story.registration())

    assert story.broken() == {"only_one_order_is_ever_created"}


def test_versions_that_begin_anew_are_found(
    stack: RunningStack, known: Json, seat: ProcessSlot
) -> None:
    story = Story(stack, known, seat)
    seat.take("faults.planted.writer", "begins-anew")
    deletion = replace(story.registration(), kind=DELETE, job_id=str(uuid4()), body={})
    story.publish(story.registration(), deletion)
    story.caught_up()
    story.publish(story.registration())

    assert story.broken() == {"versions_only_grow"}


def test_acknowledging_an_action_before_it_is_recorded_is_found(
    stack: RunningStack, known: Json, seat: ProcessSlot
) -> None:
    story = Story(stack, known, seat)
    seat.take("order_writer")
    with process_slot(stack, "action-trigger") as trigger:
        trigger.take("faults.planted.trigger")
        story.publish(story.registration())
        story.caught_up()

    assert story.broken() == {"every_due_action_was_delivered"}


def test_the_same_stories_without_a_bug_break_no_law(
    stack: RunningStack, known: Json, seat: ProcessSlot
) -> None:
    story = Story(stack, known, seat)
    seat.take("order_writer")
    deletion = replace(story.registration(), kind=DELETE, job_id=str(uuid4()), body={})
    change = replace(story.registration(), kind=STATUS, job_id=str(uuid4()), body=COMPLETED)
    story.publish(story.registration(), change, story.registration())
    story.caught_up()
    story.publish(change, deletion, story.registration())

    assert story.broken() == set()


COMPLETED = {"status": "Completed", "lastChangedAt": "2025-11-28T10:00:00Z"}


class Story:
    """One order, from its registration with an action on, and which laws its history breaks."""

    def __init__(self, stack: RunningStack, known: Json, seat: ProcessSlot) -> None:
        self._stack, self._seat = stack, seat
        self._journal = Journal()
        self._publishing = Publishing(stack.kafka, self._journal)
        self._order_id = unique("planted")
        self._contact = known

    def registration(self) -> Command:
        action = {"action": "ConfirmOrder"}
        body = order_body(self._order_id, contact=self._contact, orderAction=action)
        return Command(REGISTER, self._order_id, str(uuid4()), body)

    def publish(self, *commands: Command) -> None:
        for command in commands:
            self._publishing.send(record_of(command))
        assert self._publishing.flush() == 0

    def caught_up(self) -> None:
        """Wait until every group has committed what there is."""
        until(lambda: behind(self._stack) is None, seconds=60, of=self._seat.tail())

    def broken(self) -> set[str]:
        """Return the names of the broken laws, once all that will be sent was sent."""
        self.caught_up()
        own = self._order_id
        until(lambda: open_work(self._stack, [own], ["deliveries"]) is None, of="deliveries")
        violations = check(collect(self._stack, self._journal).of([self._order_id]))
        print(report(violations))
        return {it.law for it in violations}
