"""What `orders doctor` says of facts: the cause first, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_operations.consumers.pauses import Pause
from order_operations.diagnosis.diagnosis import all_clear, changes, diagnose, json_of
from order_operations.diagnosis.facts import (
    Access,
    Backend,
    DeadLetterCount,
    Disk,
    Facts,
    Health,
    Instance,
    Key,
    Lag,
    LogCount,
    Member,
    NewJobs,
    SchemaStep,
)
from order_operations.diagnosis.finding import Code, Finding, Severity
from order_operations.migrations.index_plan import StepKind
from order_operations.topics.plan import TopicStep, TopicStepKind
from order_runtime.documents.instances import (
    CERTIFICATE_REFUSED,
    KEY_REFUSED,
    RIGHTS_MISSING,
    UNKNOWN_KEY,
    WEBHOOKS_FILE_REFUSED,
    Condition,
)
from support.builders.system_facts import (
    NOW,
    ago,
    cluster,
    endpoint,
    healthy,
    instance,
    with_instances,
)

MB = 1_000_000
LATE = [Lag(ENRICHER, "orders.events", 900, 400.0), Lag(TRIGGER, "orders.actions", 0, 0.0)]


def first(facts: Facts) -> Finding:
    return diagnose(facts).problems[0]


def codes(facts: Facts) -> list[Code]:
    return [it.code for it in diagnose(facts).problems]


def silent(it: Instance, answers: Health = Health.UNKNOWN) -> Instance:
    return replace(it, heartbeat_at=ago(20), answers=answers)


def meets(service: str, condition: Condition) -> Facts:
    """Return facts in which each process of *service* has met *condition*."""
    return with_instances(
        lambda it: replace(it, conditions=[condition]) if it.service == service else it
    )


def test_all_clear_is_one_sentence() -> None:
    seen = diagnose(healthy())
    assert (seen.findings, seen.processes) == ([], 8)
    assert all_clear(seen).startswith("All clear: 8 processes live")
    assert json_of(seen)["ok"] is True


def test_a_consumer_that_is_frozen() -> None:
    facts = with_instances(lambda it: silent(it, Health.HANGS) if it.name == "enricher-1" else it)
    found = first(replace(facts, lags=LATE))
    assert found.code is Code.PROCESS_SILENT
    assert found.sentence.startswith("enricher-1 is frozen: it answers nothing")
    assert "`orders kill enricher-1 --signal CONT`" in found.helps
    assert [it.code for it in found.follows] == [Code.CONSUMER_LATE]


def test_all_enrichers_down() -> None:
    facts = with_instances(lambda it: silent(it, Health.REFUSED) if it.service == ENRICHER else it)
    found = first(replace(facts, lags=LATE, healing_since=ago(9_000)))
    assert (found.code, found.subject) == (Code.SERVICE_DOWN, ENRICHER)
    assert found.sentence.startswith("No enricher runs: enricher-1 is dead")
    assert {it.code for it in found.follows} == {Code.CONSUMER_LATE, Code.HEALING_LATE}
    assert codes(facts) == [Code.SERVICE_DOWN]


def test_a_broker_killed() -> None:
    waiting = instance(WRITER, waits_for={"kafka": ago(20)})
    facts = healthy(cluster=cluster((1, 3)))
    found = first(replace(facts, instances=[*facts.instances, waiting], lags=LATE))
    assert (found.code, found.severity) == (Code.BROKER_AWAY, Severity.WARNING)
    assert found.sentence == (
        "Kafka's broker 2 is away: 12 partitions lack a replica, 0 partitions have no leader."
    )
    assert Code.BACKEND_OUT_OF_REACH in {it.code for it in found.follows}


def test_a_broker_whose_partitions_nobody_leads_is_worse() -> None:
    found = first(healthy(cluster=cluster((1,), led=False)))
    assert (found.code, found.severity) == (Code.BROKER_AWAY, Severity.CRITICAL)
    assert "brokers 2 and 3 are away" in found.sentence
    assert "neither taken nor handled" in found.matters


def test_all_mongods_down() -> None:
    """Nothing is known of the processes then, and nothing is said of them."""
    away = Backend(Access.AWAY, "mongo-1:27017, mongo-2:27017")
    members = [Member("mongo-1:27017", answers=False)]
    facts = healthy(mongodb=away, members=members, instances=[], endpoints=[], lags=LATE)
    assert codes(facts) == [Code.MONGODB_AWAY]
    assert "mongo-1:27017, mongo-2:27017" in first(facts).sentence
    assert [it.code for it in first(facts).follows] == [Code.CONSUMER_LATE]


def test_mongods_without_a_primary_are_not_all_away() -> None:
    members = [Member(f"mongo-{it}:27017", answers=it == 1) for it in (1, 2, 3)]
    found = first(healthy(mongodb=Backend(Access.AWAY), members=members, instances=[]))
    assert found.code is Code.NO_PRIMARY
    assert "mongo-2:27017 and mongo-3:27017 are away" in found.sentence


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (500, None, "answers 500"),
        (None, "timeout", "doesn't answer in time"),
        (None, "ClientConnectorError", "gives no answer (ClientConnectorError)"),
    ],
)
def test_a_receiver_that_fails(status: int | None, reason: str | None, said: str) -> None:
    failing = endpoint(last_status=status, last_reason=reason, waiting=3)
    found = first(healthy(endpoints=[failing]))
    assert (found.code, found.subject) == (Code.ENDPOINT_FAILS, "default")
    assert said in found.sentence
    assert "3 deliveries wait" in found.sentence


def test_an_open_circuit_counts_while_its_worker_lives() -> None:
    opened = endpoint(last_answer_at=ago(4_000), circuit="open", circuit_workers=("killed",))
    assert codes(healthy(endpoints=[opened])) == []
    lives = replace(opened, circuit_workers=("action-trigger-1",))
    assert codes(healthy(endpoints=[lives])) == [Code.ENDPOINT_FAILS]


def test_a_receiver_that_answers_410() -> None:
    shut = endpoint(state="disabled", by="410", since=ago(30), last_status=410, waiting=1)
    failed = [LogCount("ActionFailed", 1)]
    found = first(healthy(endpoints=[shut], log_counts=failed))
    assert (found.code, found.severity) == (Code.ENDPOINT_SHUT, Severity.CRITICAL)
    assert "since it answered 410 Gone; 1 delivery waits" in found.sentence
    assert "`orders deliveries enable default`" in found.helps
    assert [it.code for it in found.follows] == [Code.ACTIONS_FAILED]


def test_a_publisher_of_garbage() -> None:
    counts = [LogCount("CommandRejected", 30, ["/shop"])]
    letters = [DeadLetterCount("orders.commands", 30, ["ValidationFailed"])]
    found = first(healthy(log_counts=counts, dead_letters=letters))
    assert found.code is Code.COMMANDS_UNREADABLE
    assert "30 commands in the last 5 minutes, from /shop" in found.sentence
    assert [it.code for it in found.follows] == [Code.DEAD_LETTERS]
    assert "30 records of orders.commands" in found.follows[0].sentence


def test_a_publisher_with_the_wrong_partitioner() -> None:
    found = first(healthy(log_counts=[LogCount("Misrouted", 1)]))
    assert found.code is Code.COMMANDS_MISROUTED
    assert "1 command in the last 5 minutes, without a source" in found.sentence
    assert "murmur2" in found.helps


def test_contacts_missing_for_everything_new() -> None:
    found = first(healthy(new_jobs=NewJobs(20, 20)))
    assert found.code is Code.CONTACTS_MISSING
    assert "100% of what is new: 20 of the last 20 orders" in found.sentence
    assert codes(healthy(new_jobs=NewJobs(200, 20))) == []
    assert codes(healthy(new_jobs=NewJobs(9, 9))) == []


def test_a_revoked_key_still_in_use() -> None:
    """It is counted over all gateways; a stray unknown key is no finding."""
    facts = meets(GATEWAY, Condition(KEY_REFUSED, "a1b2", ago(60), count=2, last_at=ago(1)))
    found = first(facts)
    assert (found.code, found.subject) == (Code.REVOKED_KEY_USED, "a1b2")
    assert "a1b2: 4 requests were refused" in found.sentence
    stray = Condition(KEY_REFUSED, UNKNOWN_KEY, ago(60), count=1, last_at=ago(1))
    assert codes(meets(GATEWAY, stray)) == []
    assert codes(meets(GATEWAY, replace(stray, count=50))) == [Code.UNKNOWN_KEYS_USED]


def test_a_webhooks_file_with_an_error() -> None:
    """Both workers refuse it; it is said once."""
    reason = "In the webhooks file, default.url: must be an http or https URL."
    facts = meets(TRIGGER, Condition(WEBHOOKS_FILE_REFUSED, "", ago(10), reason))
    assert codes(facts) == [Code.WEBHOOKS_FILE_REFUSED]
    assert reason.rstrip(".") in first(facts).sentence


@pytest.mark.parametrize(
    ("days", "code", "severity"),
    [
        (13, Code.CERTIFICATE_ENDS, Severity.WARNING),
        (1, Code.CERTIFICATE_ENDS, Severity.CRITICAL),
        (-1, Code.CERTIFICATE_ENDED, Severity.CRITICAL),
    ],
)
def test_a_certificate_about_to_expire(days: int, code: Code, severity: Severity) -> None:
    ends = {"gateway": NOW + timedelta(days=days), "mongodb_ca": NOW + timedelta(days=90)}
    facts = with_instances(
        lambda it: replace(it, certificates=ends) if it.service == GATEWAY else it
    )
    assert codes(facts) == [code]
    assert first(facts).severity is severity
    assert "The certificate gateway of the gateway" in first(facts).sentence


def test_a_disk_filling() -> None:
    disk = Disk("broker 3 (/data)", 880 * MB, 1_000 * MB)
    found = first(healthy(disks=[disk]))
    assert (found.code, found.subject) == (Code.DISK_FILLS, "broker 3 (/data)")
    assert "is 88% full: 120 MB of 1.0 GB are left." in found.sentence


def test_what_a_full_disk_brings_about_follows_from_it() -> None:
    full = Disk("broker 3 (/data)", 96, 100)
    found = first(healthy(disks=[full], cluster=cluster((1, 2))))
    assert found.code is Code.DISK_FULL
    assert [it.code for it in found.follows] == [Code.BROKER_AWAY]


def test_kafka_away_explains_what_processes_meet() -> None:
    facts = with_instances(lambda it: replace(it, waits_for={"kafka": ago(30)}))
    away = replace(facts, kafka=Backend(Access.AWAY, "kafka-1:9092"), cluster=cluster())
    assert codes(away) == [Code.KAFKA_AWAY]
    assert len(first(away).follows) == 8
    assert set(codes(facts)) == {Code.BACKEND_OUT_OF_REACH}, "Kafka answers the doctor"
    briefly = with_instances(lambda it: replace(it, waits_for={"kafka": ago(5)}))
    assert codes(briefly) == [], "a connection that is made again"


def test_a_login_that_is_refused_is_said_of_this_command() -> None:
    refused = Backend(Access.REFUSES, "kafka-1:9092", "Authentication failed")
    assert first(healthy(kafka=refused)).code is Code.KAFKA_REFUSES


def test_one_process_that_ended_by_itself_says_why_and_one_that_was_asked_to_is_fine() -> None:
    facts = healthy()
    stopped = instance(WRITER, 3, heartbeat_at=ago(60), stopped_at=ago(60))
    failed = replace(stopped, name="order-writer-4", failure="MongoDB lacks an index.")
    found = replace(facts, instances=[*facts.instances, stopped, failed])
    assert codes(found) == [Code.PROCESS_FAILED]
    assert "order-writer-4 ended at 03:03:05Z, 1 minute ago: MongoDB lacks an index." == (
        first(found).sentence
    )


def test_a_dead_process_is_forgotten_once_another_took_its_place() -> None:
    """As of pods, whose names change with each start."""
    facts = healthy()
    dead = instance(GATEWAY, 9, heartbeat_at=ago(7_200))
    replaced = replace(facts, instances=[*facts.instances, dead])
    assert codes(replaced) == []
    again = replace(dead, heartbeat_at=ago(600))
    assert codes(replace(facts, instances=[*facts.instances, again])) == [Code.PROCESS_SILENT]


def test_a_service_that_never_reported_itself() -> None:
    facts = healthy()
    others = [it for it in facts.instances if it.service != TRIGGER]
    assert "none ever reported itself" in first(replace(facts, instances=others)).sentence


def test_rights_that_are_missing_explain_who_is_not_ready() -> None:
    lacks = Condition(RIGHTS_MISSING, "Kafka", ago(90), "READ on topic orders.events")
    facts = with_instances(
        lambda it: replace(it, conditions=[lacks], ready=False) if it.service == ENRICHER else it
    )
    assert codes(facts) == [Code.RIGHTS_MISSING]
    assert "READ on topic orders.events" in first(facts).sentence
    assert [it.code for it in first(facts).follows] == [Code.NOT_READY, Code.NOT_READY]


def test_loops_certificates_clocks_and_releases() -> None:
    facts = healthy()
    one, *others = facts.instances
    refused = Condition(CERTIFICATE_REFUSED, "gateway", ago(9), "The key doesn't fit.")
    for changed, code in (
        (replace(one, stalled=["batches"]), Code.LOOP_STALLED),
        (replace(one, clock=NOW + timedelta(minutes=2)), Code.CLOCKS_DIFFER),
        (replace(one, version="1.1.0", started_at=ago(9_000)), Code.RELEASES_DIFFER),
        (replace(one, ready=False), Code.NOT_READY),
        (replace(one, conditions=[refused]), Code.CERTIFICATE_REFUSED),
    ):
        old = [replace(it, started_at=ago(7_200)) for it in others]
        assert codes(replace(facts, instances=[changed, *old])) == [code]
    upgrading = [replace(one, version="1.1.0"), *others]
    assert codes(replace(facts, instances=upgrading)) == [], "started less than an hour ago"


def test_what_the_database_and_the_topics_are_to_be() -> None:
    index = SchemaStep(StepKind.BUILD_INDEX, "orders.updatedAt_1__id_1")
    retired = SchemaStep(StepKind.DROP_INDEX, "deliveries.order")
    topic = TopicStep(TopicStepKind.ALTER_CONFIG, "orders.events", "retention.ms", "1", "2")
    assert codes(healthy(schema_steps=[index])) == [Code.SCHEMA_DIFFERS]
    assert codes(healthy(schema_steps=[retired])) == []
    assert "orders.events: retention.ms is 1, wanted: 2" in (
        first(healthy(topic_steps=[topic])).sentence
    )


def test_deliveries_that_wait_for_hours() -> None:
    waits = endpoint(waiting=1, oldest_waiting="a-1", oldest_waiting_at=ago(30_000))
    assert codes(healthy(endpoints=[waits])) == [Code.DELIVERIES_LATE]


def test_a_group_that_is_paused_explains_why_it_is_late() -> None:
    paused = Pause(ENRICHER, "orders.events", ago(500), "kim")
    found = first(healthy(pauses=[paused], lags=LATE))
    assert found.code is Code.CONSUMER_PAUSED
    assert found.sentence.startswith("The enricher was paused by kim, and takes nothing of orders")
    assert found.helps == "`orders consumers resume enricher --topic orders.events`"
    assert [it.code for it in found.follows] == [Code.CONSUMER_LATE]


def test_notices_are_nothing_that_is_wrong() -> None:
    old = Key("a1b2", "shop", ago(400 * 86_400))
    seen = diagnose(healthy(keys=[old], unanswered={"Kafka's disks": "no right"}))
    assert (seen.problems, json_of(seen)["ok"]) == ([], True)
    assert [it.code for it in seen.notices] == [Code.KEY_OLD, Code.NOT_SEEN]


def test_the_worst_comes_first_and_then_the_likelier_cause() -> None:
    shut = endpoint(state="disabled", by="410")
    misrouted = [LogCount("Misrouted", 1)]
    facts = healthy(endpoints=[shut], log_counts=misrouted, cluster=cluster((1, 2)))
    assert codes(facts) == [Code.ENDPOINT_SHUT, Code.BROKER_AWAY, Code.COMMANDS_MISROUTED]


def test_a_watch_sees_what_begins_and_what_is_over() -> None:
    well, ill = diagnose(healthy()), diagnose(healthy(cluster=cluster((1, 2))))
    begun, over = changes(well, ill)
    assert ([it.code for it in begun], over) == ([Code.BROKER_AWAY], [])
    begun, over = changes(ill, well)
    assert (begun, [it.code for it in over]) == ([], [Code.BROKER_AWAY])
    assert changes(None, ill)[0] == ill.problems
    assert changes(ill, diagnose(healthy(cluster=cluster((2, 1))))) == ([], []), "still away"
