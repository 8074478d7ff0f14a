"""Which of a service's rights Kafka and MongoDB don't give it, by their answers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from order_runtime.access.kafka_rights import DESCRIBE_CONFIGS
from order_runtime.access.rights import KafkaRight, MongoRight

ALL: Final = "ALL"
ANY_ACTION: Final = "anyAction"

Operations = Collection[str] | None
"""What Kafka allows on a topic or group: none where it hides it, None where it doesn't tell."""


def kafka_lacks(
    wanted: Iterable[KafkaRight], allowed: Mapping[tuple[str, str], Operations]
) -> list[KafkaRight]:
    """
    Return what of *wanted* isn't *allowed*, by kind and name of the resource.

    Of what is hidden, the right to see its settings may be there all the same: it isn't counted.
    """
    return sorted(it for it in wanted if _is_lacking(it, allowed[it.resource, it.name]))


def mongo_lacks(
    wanted: Iterable[MongoRight], auth_info: Mapping[str, Any], database: str
) -> list[MongoRight]:
    """
    Return what of *wanted* no privilege gives, as `connectionStatus` shows them.

    Where nobody has to log in, nothing is lacking.
    """
    if not auth_info["authenticatedUsers"]:
        return []
    privileges = auth_info["authenticatedUserPrivileges"]
    return sorted(it for it in wanted if not any(_gives(p, it, database) for p in privileges))


def _is_lacking(right: KafkaRight, operations: Operations) -> bool:
    if operations is None:
        return False
    if not operations:
        return right.operation != DESCRIBE_CONFIGS
    return right.operation not in operations and ALL not in operations


def _gives(privilege: Mapping[str, Any], right: MongoRight, database: str) -> bool:
    actions = privilege["actions"]
    if right.operation not in actions and ANY_ACTION not in actions:
        return False
    resource = privilege["resource"]
    if resource.get("anyResource"):
        return True
    # "" stands for all of them.
    return resource.get("db") in {"", database} and resource.get("collection") in {
        "",
        right.collection,
    }
