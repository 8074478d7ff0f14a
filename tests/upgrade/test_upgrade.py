"""A rolling upgrade from the release before, under load: nothing is lost and nothing done twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from order_runtime.mongo.client import DEAD_LETTERS
from support.builders.bodies import Json, unique
from support.history.database_dump import differing_lines, dump_documents
from support.history.history import History
from support.history.journal import UPGRADE, Journal
from support.history.quiescence import CONSUMED_TOPICS, CONSUMER_GROUPS
from support.laws.dead_letters import document_id
from support.load.background_load import LoadProfile, background_load, numbered_order_ids
from support.load.checked_load import checked_history, until_more_calls
from support.load.contact_changes import contact_changes, load_contacts
from support.stack.consumer_groups import reset_to_beginning
from support.stack.released_program import install, released_commit, upgrade_part
from support.stack.running_stack import RunningStack, running_stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

TWO_OF_EACH = ("--gateways", "2", "--writers", "2", "--enrichers", "2", "--triggers", "2")
ORDER = ("enricher", "action-trigger", "order-writer", "gateway")
"""As operating.md says: whoever reads a message is upgraded before who writes it."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of the release before, two of each service."""
    commit = released_commit(Path(__file__).with_name("released.toml"))
    program = install(commit, tmp_path_factory.mktemp("released"))
    home = tmp_path_factory.mktemp("orders-home")
    with running_stack(home, *TWO_OF_EACH, program=program, seconds=300) as started:
        yield started


def test_a_rolling_upgrade_under_load_breaks_no_law(released: RunningStack, tmp_path: Path) -> None:
    """
    Contacts arrive, are erased and merged meanwhile, and clients retry under their keys.

    After it every group reads all again from offset 0, what the release before has done as well:
    that changes nothing, but that the dead letters of that release get their documents.
    """
    changes = contact_changes(6, merges=2)
    profile = LoadProfile(
        order_ids=numbered_order_ids(unique("upgraded"), 60),
        contacts=load_contacts(released, tmp_path, 6, changes),
        changes=changes,
        contact_interval=4.0,
        seed=17,
        agreed=True,
    )
    journal = Journal()
    with background_load(released, profile, journal):
        until_more_calls(journal, 200)
        released.orders("migrate", "apply")
        for service in ORDER:
            for part in (f"{service}-1", f"{service}-2"):
                with journal.fault(f"{part} {UPGRADE}"):
                    upgrade_part(released, part)
                until_more_calls(journal, 50)
        until_more_calls(journal)
    before = checked_history(released, profile, journal, seconds=240)

    for service in CONSUMER_GROUPS:
        for part in (f"{service}-1", f"{service}-2"):
            released.kill(part, "TERM")
    reset_to_beginning(released, CONSUMED_TOPICS)
    for service in CONSUMER_GROUPS:
        for part in (f"{service}-1", f"{service}-2"):
            released.start(part)
    after = checked_history(released, profile, journal, seconds=240)

    assert differing_lines(*(dump_documents(all_but_letters(it)) for it in (before, after))) == []
    assert letter_documents(after) == letter_documents(before) | letters(before)
    assert {it.id for it in after.webhooks} == {it.id for it in before.webhooks}


def all_but_letters(history: History) -> Mapping[str, Sequence[Json]]:
    return {name: it for name, it in history.documents.items() if name != DEAD_LETTERS}


def letter_documents(history: History) -> set[str]:
    return {it["_id"] for it in history.documents[DEAD_LETTERS]}


def letters(history: History) -> set[str]:
    """Return the ids that the documents of all dead letters have."""
    dead = (found for topic, found in history.records.items() if topic.endswith(".dlq"))
    return {document_id(it) for found in dead for it in found}
