"""Stored offsets: what is written of them, what is read, and where both databases agree again."""

from __future__ import annotations

import pytest

from order_operations.consumers.offsets import PartitionPlan, planned
from order_runtime.documents.consumer_offsets import GroupOffsets, behind, restored_sentence
from order_runtime.kafka.records import next_offsets
from support.builders.commands import raw_record

GROUP = GroupOffsets("enricher", {"orders.events": "new", "reference.stores": "other"})
PLACE = ("orders.events", 3)


def test_an_offset_is_raised_only_where_no_less_is_stored_than_was_seen() -> None:
    [(where, update)] = GROUP.advance({PLACE: 9}, {PLACE: 7})
    assert where == {"_id": "enricher/orders.events/3", "topicId": "new", "next": {"$gte": 7}}
    assert update == {"$max": {"next": 9}}


def test_what_is_stored_of_a_topic_that_was_made_anew_counts_as_nothing() -> None:
    documents = [
        {"_id": "enricher/orders.events/3", "topicId": "old", "next": 70},
        {"_id": "enricher/reference.stores/0", "topicId": "other", "next": 5},
    ]
    assert GROUP.read(documents) == {("reference.stores", 0): 5}


def test_the_next_offset_is_behind_the_last_record_of_each_partition() -> None:
    records = [raw_record(b"", offset=at, partition=it) for it, at in ((1, 4), (2, 8), (1, 5))]
    topic = records[0].topic
    assert next_offsets(records) == {(topic, 1): 6, (topic, 2): 9}


def test_a_database_is_behind_where_it_stores_less_or_nothing() -> None:
    stored = {("orders.events", 0): 5, ("orders.events", 1): 7}
    offsets = {("orders.events", number): 6 for number in range(3)}
    assert behind(stored, offsets) == {("orders.events", 0): 5, ("orders.events", 2): 0}


def test_the_sentence_names_the_places_and_the_commands_that_help() -> None:
    sentence = restored_sentence("enricher", {PLACE: 5}, {PLACE: 9})
    assert "orders.events 3 (MongoDB: 5, read before: 9)" in sentence
    assert "`orders offsets plan`" in sentence


@pytest.mark.parametrize(
    ("offsets", "next_offset", "lost", "changes"),
    [
        ((50, 50), 50, 0, False),
        ((50, 60), 50, 0, False),  # it died before the commit, or an operator went back
        ((50, 40), 40, 0, True),  # MongoDB was restored
        ((50, None), 50, 0, False),  # stored by no release yet
        ((None, 40), 40, 0, True),  # the group's offsets expired
        ((None, None), 20, 0, False),  # never begun
        ((50, 15), 20, 5, True),  # restored to before the log's start
        ((15, 15), 20, 5, True),  # deleted unread
        ((20, 15), 20, 5, True),  # Kafka's alone was set past what was deleted
        ((120, 130), 100, 0, True),  # the log was cut off
        ((120, None), 20, 0, True),  # the topic was made anew; a commit came after that
    ],
)
def test_a_group_goes_on_at_the_lower_offset_that_the_log_has(
    offsets: tuple[int | None, int | None], next_offset: int, lost: int, *, changes: bool
) -> None:
    plan = planned("enricher", PLACE, offsets, (20, 100))
    assert (plan.next, plan.lost, plan.changes) == (next_offset, lost, changes)
    assert isinstance(plan, PartitionPlan)
