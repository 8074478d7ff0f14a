"""What `orders doctor` says of rights: whose are missing, superfluous, or nobody's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.topics import GATEWAY, OPERATOR, WRITER
from order_operations.access.plan import (
    AccessPlan,
    Holdings,
    access_steps,
    kafka_holdings,
    mongo_holdings,
    principals_by_workload,
    role_of,
)
from order_operations.access.right_coverage import covers
from order_operations.diagnosis.diagnosis import diagnose
from order_operations.diagnosis.facts import Facts, HeldRights
from order_operations.diagnosis.finding import Code, Severity
from order_operations.diagnosis.gather_rights import differing, of_strangers
from order_operations.problems import OperationFailed
from order_operations.workloads.table import EVENT_READER, WORKLOADS
from order_runtime.access.rights import (
    CLUSTER,
    CLUSTER_NAME,
    GROUP,
    TOPIC,
    KafkaRight,
    MongoRight,
    R,
)
from order_runtime.documents.instances import RIGHTS_MISSING, Condition
from support.builders.system_facts import ago, healthy, with_instances

KAFKA = kafka_holdings(principals_by_workload())
MONGO = mongo_holdings()
OWNERS = {f"User:{it.name}": [it.name] for it in WORKLOADS} | {
    role_of(it): [it.name] for it in WORKLOADS
}
WRITE = KafkaRight(TOPIC, "orders.commands", "WRITE")
READ = KafkaRight(TOPIC, "orders.commands", "READ")
LACKS = HeldRights("Kafka", "User:gateway", [GATEWAY], ("WRITE on topic orders.commands",))


def compared(wanted: Holdings[R], found: Holdings[R]) -> list[HeldRights]:
    plan = AccessPlan(access_steps(wanted, found))
    return list(differing("Kafka", plan, wanted, OWNERS, "nobody has any"))


def changed(holdings: Holdings[R], holder: str, *, less: R, more: R | None = None) -> Holdings[R]:
    """Return *holdings* with other rights of one holder."""
    rights = holdings[holder] - {less}
    return {**holdings, holder: rights if more is None else rights | {more}}


def codes(facts: Facts) -> list[Code]:
    return [it.code for it in diagnose(facts).problems]


def test_who_has_what_it_needs_is_not_named() -> None:
    assert compared(KAFKA, KAFKA) == []
    assert compared(MONGO, MONGO) == []


def test_a_right_that_was_taken_away_is_named_with_its_holder() -> None:
    assert compared(KAFKA, changed(KAFKA, "User:gateway", less=WRITE)) == [LACKS]
    role = f"ordermill-{WRITER}"
    find = MongoRight("orders", "find")
    [found] = compared(MONGO, changed(MONGO, role, less=find))
    assert (found.holder, found.workloads) == (role, [WRITER])
    assert (found.missing, found.superfluous) == (("find on collection orders",), ())


def test_a_right_too_many_is_named_and_what_it_gives_is_not_missing() -> None:
    everything = KafkaRight(TOPIC, "orders.", "ALL", prefixed=True)
    [found] = compared(KAFKA, changed(KAFKA, "User:gateway", less=WRITE, more=everything))
    assert (found.missing, found.superfluous) == ((), ("ALL on topic orders.…",))


def test_what_another_holder_has_too_many_gives_nothing() -> None:
    everything = KafkaRight(TOPIC, "*", "ALL")
    lost = changed(KAFKA, "User:gateway", less=WRITE)
    writer = f"User:{WRITER}"
    found = compared(KAFKA, {**lost, writer: lost[writer] | {everything}})
    assert found[0] == LACKS
    assert (found[1].holder, found[1].missing) == (writer, ())


@pytest.mark.parametrize("holdings", [KAFKA, MONGO], ids=["Kafka", "MongoDB"])
def test_where_nobody_has_any_right_others_are_in_use(holdings: Holdings[KafkaRight]) -> None:
    with pytest.raises(OperationFailed, match="nobody has any"):
        compared(holdings, {})


@pytest.mark.parametrize(
    ("held", "wanted", "gives"),
    [
        (KafkaRight(TOPIC, "*", "WRITE"), WRITE, True),
        (KafkaRight(TOPIC, "orders.commands", "ALL"), WRITE, True),
        (READ, KafkaRight(TOPIC, "orders.commands", "DESCRIBE"), True),
        (READ, WRITE, False),
        (replace(WRITE, host="10.0.0.1"), WRITE, False),
        (KafkaRight(TOPIC, "orders.events", "ALL"), WRITE, False),
        (KafkaRight(GROUP, "*", "ALL"), WRITE, False),
        (MongoRight("", "find"), MongoRight("orders", "find"), True),
        (MongoRight("jobs", "find"), MongoRight("orders", "find"), False),
        (MongoRight("", "insert"), MongoRight("orders", "find"), False),
    ],
    ids=repr,
)
def test_what_gives_what(
    held: KafkaRight | MongoRight, wanted: KafkaRight | MongoRight, *, gives: bool
) -> None:
    assert covers(held, wanted) is gives


def test_strangers_are_those_who_may_read_or_change_what_is_this_systems() -> None:
    others = {
        "User:backup": frozenset({KafkaRight(TOPIC, "*", "READ"), KafkaRight(GROUP, "b", "READ")}),
        "User:exporter": frozenset({KafkaRight(TOPIC, "*", "DESCRIBE")}),
        "User:neighbour": frozenset({KafkaRight(TOPIC, "invoices", "WRITE")}),
        "User:root": frozenset({KafkaRight(CLUSTER, CLUSTER_NAME, "ALTER")}),
    }
    found = {it.holder: it for it in of_strangers(others, KAFKA)}
    assert found.keys() == {"User:backup", "User:root"}
    assert found["User:backup"].superfluous == ("READ on topic *",)
    assert found["User:root"].superfluous == ("ALTER on the cluster",)


def test_a_service_that_lacks_a_right_is_the_cause_of_what_it_says_itself() -> None:
    meets = Condition(RIGHTS_MISSING, "Kafka", ago(60), "WRITE on topic orders.commands")
    ill = with_instances(
        lambda it: replace(it, conditions=[meets]) if it.service == GATEWAY else it
    )
    [found] = diagnose(replace(ill, rights=[LACKS])).problems

    assert (found.code, found.severity) == (Code.SERVICE_LACKS_RIGHTS, Severity.CRITICAL)
    assert found.sentence == (
        "The gateway (User:gateway) lacks 1 right in Kafka: WRITE on topic orders.commands."
    )
    assert "`orders access apply --grant-only`" in found.helps
    assert [it.code for it in found.follows] == [Code.RIGHTS_MISSING]


def test_what_a_client_lacks_is_no_cause_of_what_services_meet() -> None:
    meets = Condition(RIGHTS_MISSING, "Kafka", ago(60), "WRITE on topic orders.commands")
    ill = with_instances(
        lambda it: replace(it, conditions=[meets]) if it.service == GATEWAY else it
    )
    lacks = replace(LACKS, holder="User:operator", workloads=[OPERATOR])
    assert codes(replace(ill, rights=[lacks])) == [Code.RIGHTS_MISSING, Code.CLIENT_LACKS_RIGHTS]


def test_rights_too_many_are_a_warning_with_what_revokes_them() -> None:
    facts = healthy(rights=[replace(LACKS, missing=[], superfluous=["ALL on topic *"] * 2)])
    [found] = diagnose(facts).problems
    assert (found.code, found.severity) == (Code.RIGHTS_SUPERFLUOUS, Severity.WARNING)
    assert "has 2 rights in Kafka that it doesn't need: ALL on topic *" in found.sentence
    assert "`orders access apply`" in found.helps


def test_a_principal_of_two_workloads_is_said_to_be_of_both() -> None:
    shared = replace(LACKS, holder="User:shop", workloads=[EVENT_READER, GATEWAY])
    [found] = diagnose(healthy(rights=[shared])).problems
    assert found.sentence.startswith("The event-reader and gateway (User:shop) lacks 1 right")
    assert found.about == GATEWAY


def test_a_stranger_is_a_warning_that_can_be_answered() -> None:
    stranger = HeldRights("Kafka", "User:backup", (), superfluous=["READ on topic *"])
    [found] = diagnose(healthy(rights=[stranger])).problems
    assert (found.code, found.severity) == (Code.STRANGER_HAS_RIGHTS, Severity.WARNING)
    assert found.sentence == (
        "User:backup, whom no workload names, has 1 right in Kafka on what is this system's:"
        " READ on topic *."
    )
    assert "--known User:backup" in found.helps
