"""The restore drill: MongoDB is restored behind Kafka's offsets, and no command is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pymongo import MongoClient

from order_operations.privacy.pii_scan import leaks, pattern
from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.builders.raw_records import register_record
from support.faults.database_backup import backup, restore
from support.faults.lost_topics import recovery
from support.history.database_dump import differing_lines, dump_documents
from support.history.history import History
from support.history.journal import RESTORE, Journal
from support.history.quiescence import CONSUMER_GROUPS, wait_until_quiet
from support.load.background_load import (
    LoadProfile,
    background_load,
    misrouted_order_ids,
    numbered_order_ids,
)
from support.load.checked_load import checked_history, until_more_calls
from support.load.contact_changes import contact_changes, load_contacts
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, paused, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CALLS = 100  # before and after a backup
SECONDS = 120.0  # for what takes some seconds on an idle machine
ENDED_BY_THE_LOG = ("orders", "idempotency")  # what the commands alone decide, to the last field


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its database is restored."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture
def profile(own_stack: RunningStack, tmp_path: Path) -> LoadProfile:
    """A load in which contacts arrive after their orders, too, are erased, and are merged."""
    changes = contact_changes(4, merges=2)
    prefix = unique("restored")
    return LoadProfile(
        order_ids=numbered_order_ids(prefix, 60),
        contacts=load_contacts(own_stack, tmp_path, 4, changes),
        misrouted=misrouted_order_ids(prefix, 12),
        changes=changes,
        contact_interval=2.0,
        seed=11,
    )


def test_after_a_restore_everything_settles_as_it_had(
    own_stack: RunningStack, profile: LoadProfile
) -> None:
    """
    The backup is of a moment under load, when the groups are at different places.

    Enricher and action-trigger don't start until both databases agree. Exactly the commands since
    the backup are read again, orders become what they were, and every webhook has the same id.
    """
    journal = Journal()
    with background_load(own_stack, profile, journal):
        until_more_calls(journal)
        saved = backup(own_stack)
        until_more_calls(journal)
    before = checked_history(own_stack, profile, journal, seconds=240)

    with journal.fault(RESTORE):
        for service in CONSUMER_GROUPS:
            own_stack.kill(service, "TERM")
        restore(own_stack, saved)
        for service in ("enricher", "action-trigger"):
            refused = own_stack.orders("start", service, check=False)
            assert refused.returncode != 0
            assert "`orders offsets plan`" in last_words(own_stack, service)
        plan = json.loads(own_stack.orders("offsets", "plan", "--json").stdout)
        assert {it["group"] for it in plan} == set(CONSUMER_GROUPS)
        assert json.loads(own_stack.orders("offsets", "apply", "--json").stdout) == plan
        read_before = settled_commands(own_stack)
        for service in CONSUMER_GROUPS:
            own_stack.start(service)
        after = checked_history(own_stack, profile, journal, seconds=240)

    assert lines_that_differ(before, after) == []
    assert {it.id for it in after.webhooks} == {it.id for it in before.webhooks}
    assert settled_commands(own_stack) - read_before == lacking(plan, "order-writer") + len(
        after.records["orders.commands"]
    ) - len(before.records["orders.commands"])
    assert json.loads(own_stack.orders("offsets", "plan", "--json").stdout) == []


def test_a_writer_goes_back_when_the_database_is_restored_under_it(
    own_stack: RunningStack, profile: LoadProfile
) -> None:
    """
    The services are suspended for the moment in which it is, with what they have in hand.

    The others stop with a sentence; while they are away the load goes on.
    """
    journal = Journal()
    with background_load(own_stack, profile, journal):
        until_more_calls(journal)
        saved = backup(own_stack)
        until_more_calls(journal)
        with journal.fault(f"{RESTORE} under the services"):
            with ExitStack() as all_of_them:
                for service in CONSUMER_GROUPS:
                    all_of_them.enter_context(paused(own_stack, service))
                restore(own_stack, saved)
            until(lambda: "reading again" in log(own_stack, "order-writer"), seconds=SECONDS)
            for service in ("enricher", "action-trigger"):
                until(lambda it=service: own_stack.pid(it) is None, seconds=SECONDS, of=service)  # type: ignore[misc]
                assert "`orders offsets plan`" in last_words(own_stack, service)
            until(lambda: applied(own_stack), seconds=SECONDS, of="the groups are empty")
            for service in ("enricher", "action-trigger"):
                own_stack.start(service)
            until_more_calls(journal)
    checked_history(own_stack, profile, journal, seconds=240)


def test_an_erasure_after_the_backup_is_done_again(own_stack: RunningStack, tmp_path: Path) -> None:
    """The backup has the contact, its order and its delivery; Kafka has the tombstone."""
    person = contact_body()
    file = tmp_path / "contacts.ndjson"
    file.write_text(json.dumps(person))
    own_stack.orders("reference", "load", "--wait", str(file))
    order = order_body(contact=matching(person, "Email"), orderAction={"action": "ConfirmOrder"})
    publish_records(own_stack.kafka, [register_record(order)])
    wait_until_quiet(own_stack)
    saved = backup(own_stack)
    assert left_of(own_stack, person)
    own_stack.orders("privacy", "erase", person["contactId"])
    assert not left_of(own_stack, person)

    with recovery("MongoDB, by a backup"):
        for service in CONSUMER_GROUPS:
            own_stack.kill(service, "TERM")
        restore(own_stack, saved)
        assert left_of(own_stack, person)
        own_stack.orders("offsets", "apply")
        for service in CONSUMER_GROUPS:
            own_stack.start(service)
        until(lambda: not left_of(own_stack, person), seconds=SECONDS, of="it is erased again")
        wait_until_quiet(own_stack)
    assert not left_of(own_stack, person)


def left_of(stack: RunningStack, person: Json) -> list[str]:
    """Return where the database names a contact."""
    named = {person["contactId"], person["email"], person["memberNumber"]}
    with MongoClient[Json](stack.mongo) as client:
        return list(leaks(client[stack.database], pattern(named)))


def lines_that_differ(before: History, after: History) -> list[str]:
    first, second = (
        dump_documents({name: it.documents[name] for name in ENDED_BY_THE_LOG})
        for it in (before, after)
    )
    return differing_lines(first, second)


def lacking(plan: list[Json], group: str) -> int:
    """Return how many records a group reads again."""
    return sum(it["kafka"] - it["next"] for it in plan if it["group"] == group)


def applied(stack: RunningStack) -> bool:
    return stack.orders("offsets", "apply", check=False).returncode == 0


def settled_commands(stack: RunningStack) -> int:
    """Return how many commands the order-writer has settled, repeats included."""
    lines = [json.loads(it) for it in log(stack, "order-writer").splitlines() if it[:1] == "{"]
    return sum(it["commands"] for it in lines if it["event"] == "batch settled")


def last_words(stack: RunningStack, service: str) -> str:
    """Return the last line that a service logged as critical."""
    lines = [it for it in log(stack, service).splitlines() if '"level": "critical"' in it]
    return lines[-1] if lines else ""


def log(stack: RunningStack, service: str) -> str:
    return (stack.command.home / stack.name / "logs" / f"{service}.log").read_text()
