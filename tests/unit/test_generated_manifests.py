"""The committed manifests are the generated ones; Kafka's are what topics and rights say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from order_contracts.topics import TOPICS
from order_manifests.export import main, rendered, stale, write
from order_operations.access.plan import kafka_holdings, principals_by_workload
from order_operations.workloads.table import WORKLOADS
from order_runtime.access.rights import CLUSTER, CLUSTER_NAME, KafkaRight
from support.manifests.pods import KUBERNETES, Manifest, committed, of_kind

DEPLOY = KUBERNETES.parent


def test_a_user_of_kafka_may_what_the_table_says() -> None:
    users = of_kind(committed(), "KafkaUser")
    found = {f"User:{it['metadata']['name']}": frozenset(rights(it)) for it in users}

    assert found == kafka_holdings(principals_by_workload())
    assert len(users) == len(WORKLOADS)


def rights(user: Manifest) -> Iterator[KafkaRight]:
    """Read the ACLs as Strimzi does."""
    operations = {
        "Create": "CREATE",
        "Read": "READ",
        "Write": "WRITE",
        "Describe": "DESCRIBE",
        "DescribeConfigs": "DESCRIBE_CONFIGS",
        "Alter": "ALTER",
        "AlterConfigs": "ALTER_CONFIGS",
    }
    for acl in user["spec"]["authorization"]["acls"]:
        on = acl["resource"]
        for it in acl["operations"]:
            if on == {"type": "cluster"}:
                yield KafkaRight(CLUSTER, CLUSTER_NAME, operations[it], host=acl["host"])
                continue
            prefixed = {"prefix": True, "literal": False}[on["patternType"]]
            yield KafkaRight(on["type"].upper(), on["name"], operations[it], prefixed, acl["host"])


def test_a_topic_is_what_the_contract_says() -> None:
    found = {it["metadata"]["name"]: it["spec"] for it in of_kind(committed(), "KafkaTopic")}

    assert set(found) == {it.name for it in TOPICS}
    for topic in TOPICS:
        spec = found[topic.name]
        assert spec["config"] == {**topic.config, "min.insync.replicas": "2"}
        assert (spec["partitions"], spec["replicas"]) == (topic.partitions, 3)


def test_no_policy_of_the_services_network_selects_a_broker() -> None:
    """Strimzi gives the labels of its Kafka and node pools to their pods."""
    found = committed()
    brokers = of_kind(found, "Kafka", "KafkaNodePool")
    labels = [it["metadata"].get("labels", {}) for it in brokers]
    selectors = [it["spec"]["podSelector"]["matchLabels"] for it in of_kind(found, "NetworkPolicy")]

    assert (len(labels), len(selectors)) == (2, 5)
    for selector in selectors:
        assert [it for it in labels if selector.items() <= it.items()] == []


def test_what_is_committed_is_what_the_table_says() -> None:
    assert stale(DEPLOY) == []


def test_a_file_that_differs_is_missing_or_is_too_many_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    assert stale(tmp_path) == []
    first, second = (tmp_path / path for path, _ in list(rendered())[:2])
    first.write_text("changed")
    second.unlink()
    extra = first.with_name("extra.yaml")
    extra.write_text("")

    assert {tmp_path / it for it in stale(tmp_path)} == {first, second, extra}
    assert main(tmp_path, check=True) == 1
    assert "make manifests" in capsys.readouterr().err
