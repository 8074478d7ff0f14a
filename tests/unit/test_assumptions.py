"""What a service relies on: one sentence for each thing that is otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from order_contracts.topics import COMMANDS, CONTACTS, ENRICHED, TOPICS, WRITER
from order_runtime.startup.requirements import (
    MongoServer,
    ObservedTopic,
    server_risks,
    server_violations,
    topic_risks,
    topic_violations,
    topics_used_by,
)

NOW = datetime(2025, 11, 28, 12, 0)  # noqa: DTZ001  as MongoDB tells it
SAFE = {"min.insync.replicas": "2"}
GOOD = ObservedTopic("id", COMMANDS.partitions, 3, {**COMMANDS.config, **SAFE})
FORTY_DAYS = str(40 * 24 * 60 * 60 * 1000)


def commands(**config: str) -> ObservedTopic:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return replace(GOOD, config={**(GOOD.config or {}), **named})


def server(seconds: int | None = 10, **hello: Any) -> MongoServer:
    good: Mapping[str, Any] = {"setName": "rs", "maxWireVersion": 17, "localTime": NOW}
    told = {name: value for name, value in {**good, **hello}.items() if value is not None}
    return MongoServer(told, seconds)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda it: it.name)
def test_a_topic_that_is_set_as_the_contract_says_has_no_fault(topic: Any) -> None:
    found = ObservedTopic("id", topic.partitions, 3, {**topic.config, **SAFE})

    assert not [*topic_violations(topic, found), *topic_risks(topic, found)]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            commands(message_timestamp_type="CreateTime"),
            "orders.commands: message.timestamp.type is CreateTime, needed: LogAppendTime.",
        ),
        (
            commands(max_message_bytes="2000000"),
            "orders.commands: max.message.bytes is 2000000, needed: 1048576.",
        ),
        (
            commands(retention_ms="3600000"),
            "orders.commands: retention.ms is 3600000, needed: at least 604800000.",
        ),
        (
            commands(cleanup_policy="compact"),
            "orders.commands: cleanup.policy is compact, needed: delete.",
        ),
    ],
)
def test_each_setting_is_named_with_what_was_found_and_what_is_needed(
    found: ObservedTopic, sentence: str
) -> None:
    assert list(topic_violations(COMMANDS, found)) == [sentence]


def test_another_number_of_partitions_is_a_fault() -> None:
    [sentence] = topic_violations(COMMANDS, replace(GOOD, partitions=6))

    assert sentence.startswith("orders.commands has 6 partitions, needed: 12")


@pytest.mark.parametrize("kept", [FORTY_DAYS, "-1"])
def test_commands_that_are_kept_longer_than_their_jobs_are_a_fault(kept: str) -> None:
    """
    Read again after its job is forgotten, a command would be applied a second time.
    """
    [sentence] = topic_violations(COMMANDS, commands(retention_ms=kept))

    assert f"retention.ms is {kept}, needed: less than 2592000000" in sentence


def test_what_only_others_read_may_be_kept_for_ever() -> None:
    found = replace(GOOD, config={**ENRICHED.config, "retention.ms": "-1"})

    assert not list(topic_violations(ENRICHED, found))


def test_tombstones_may_be_kept_longer_but_not_shorter() -> None:
    def faults(kept: str) -> list[str]:
        config = {**CONTACTS.config, "delete.retention.ms": kept}
        return list(topic_violations(CONTACTS, replace(GOOD, config=config)))

    assert not faults(FORTY_DAYS)
    assert faults("86400000")


@pytest.mark.parametrize(("lag", "fault"), [("0", True), (FORTY_DAYS, False), ("604800000", False)])
def test_a_slow_enricher_must_still_find_what_a_later_record_replaced(
    lag: str, *, fault: bool
) -> None:
    """A contact's merge, before its tombstone."""
    found = replace(GOOD, config={**CONTACTS.config, "min.compaction.lag.ms": lag})

    sentence = f"reference.contacts: min.compaction.lag.ms is {lag}, needed: at least 604800000."
    assert list(topic_violations(CONTACTS, found)) == ([sentence] if fault else [])


def test_a_broker_that_does_not_tell_its_settings_is_a_doubt_and_no_fault() -> None:
    hidden = replace(GOOD, config=None)

    assert not list(topic_violations(COMMANDS, hidden))
    assert len(list(topic_risks(COMMANDS, hidden))) == 1


@pytest.mark.parametrize(
    "found",
    [
        replace(GOOD, replicas=1),
        replace(GOOD, replicas=2),
        commands(min_insync_replicas="1"),
        commands(compression_type="producer"),
    ],
)
def test_what_may_lose_records_or_stop_writes_is_a_doubt_and_no_fault(
    found: ObservedTopic,
) -> None:
    assert not list(topic_violations(COMMANDS, found))
    assert len(list(topic_risks(COMMANDS, found))) == 1


def test_a_service_relies_on_what_it_reads_and_writes() -> None:
    topics = topics_used_by(WRITER, 24)

    names = [topic.name for topic in topics]
    assert names == ["orders.commands", "orders.events", "orders.commands.dlq"]
    assert {topic.partitions for topic in topics} == {24}


def test_mongodb_is_a_replica_set_of_version_six() -> None:
    assert not list(server_violations(server()))
    assert not list(server_violations(server(setName=None, msg="isdbgrid")))
    [alone] = server_violations(server(setName=None))
    [old] = server_violations(server(maxWireVersion=13))

    assert "not a replica set" in alone
    assert "is 13, needed: at least 17" in old


def test_long_transactions_and_another_clock_are_doubts() -> None:
    assert not list(server_risks(server(), NOW))
    assert not list(server_risks(server(seconds=None), NOW))
    [locks] = server_risks(server(seconds=60), NOW)
    [clock] = server_risks(server(), NOW + timedelta(minutes=5))

    assert "transactionLifetimeLimitSeconds is 60, better: 10" in locks
    assert "300 s apart" in clock
