"""The whole system under a steady mixed load: every law of its history holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.builders.bodies import unique
from support.builders.raw_records import COMMANDS_TOPIC
from support.history.collector import read_log
from support.history.database_dump import digest, dump_documents
from support.history.journal import Journal
from support.history.quiescence import CONSUMED_TOPICS, CONSUMER_GROUPS
from support.load.background_load import (
    LoadProfile,
    background_load,
    misrouted_order_ids,
    numbered_order_ids,
)
from support.load.checked_load import checked_history, until_more_calls
from support.load.contact_changes import contact_changes, load_contacts
from support.stack.consumer_groups import reset_to_beginning
from support.stack.running_stack import RunningStack
from support.stack.service_logs import settled_commands

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CALLS = 150


@pytest.fixture
def profile(stack: RunningStack, tmp_path: Path) -> LoadProfile:
    changes = contact_changes(3, merges=4)
    prefix = unique("load")
    return LoadProfile(
        order_ids=numbered_order_ids(prefix, 50),
        contacts=load_contacts(stack, tmp_path, 5, changes),
        misrouted=misrouted_order_ids(prefix, 12),
        changes=changes,
        contact_interval=0.3,
        seed=7,
    )


def test_a_day_that_is_done_twice_changes_nothing(
    stack: RunningStack, profile: LoadProfile
) -> None:
    """
    All calls, repeats and bad records at once; then every group is reset to offset 0, and every
    command is settled once more, although MongoDB stores that it was done.
    """
    journal = Journal()
    with background_load(stack, profile, journal):
        until_more_calls(journal, CALLS)
    first = checked_history(stack, profile, journal)

    for service in CONSUMER_GROUPS:
        stack.kill(service)
    reset_to_beginning(stack, CONSUMED_TOPICS)
    settled = settled_commands(stack)
    for service in CONSUMER_GROUPS:
        stack.start(service)
    again = checked_history(stack, profile, journal)

    assert settled_commands(stack) - settled == records_in_log(stack), "all is read again"
    assert digest(dump_documents(again.documents)) == digest(dump_documents(first.documents))
    assert len(again.webhooks) == len(first.webhooks)


def test_a_day_on_which_every_service_is_killed_breaks_no_law(
    stack: RunningStack, profile: LoadProfile
) -> None:
    journal = Journal()
    with background_load(stack, profile, journal):
        for service in ("gateway", *CONSUMER_GROUPS):
            until_more_calls(journal, CALLS)
            with journal.fault(f"{service} is killed"):
                stack.kill(service)
                stack.start(service)
    checked_history(stack, profile, journal)


def records_in_log(stack: RunningStack) -> int:
    """Return how many commands the topic holds; markers of transactions aren't any."""
    return len(read_log(stack.kafka, [COMMANDS_TOPIC])[COMMANDS_TOPIC])
