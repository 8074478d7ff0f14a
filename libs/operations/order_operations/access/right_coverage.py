"""Which rights give others, and which are on what is this system's. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from order_operations.access.plan import AccessStep, AccessStepKind
from order_runtime.access.kafka_rights import DESCRIBE, DESCRIBE_CONFIGS
from order_runtime.access.rights import ANY_HOST, WHOLE_DATABASE, KafkaRight, MongoRight, R

ALL: Final = "ALL"
EVERYTHING: Final = "*"
IDEMPOTENT_WRITE: Final = "IDEMPOTENT_WRITE"  # needed by producers of before Kafka 3.0
_IMPLIES: Final = {
    "READ": DESCRIBE,
    "WRITE": DESCRIBE,
    "DELETE": DESCRIBE,
    "ALTER": DESCRIBE,
    "ALTER_CONFIGS": DESCRIBE_CONFIGS,
}


def lacking(steps: Iterable[AccessStep[R]]) -> list[AccessStep[R]]:
    """Return the steps that grant what no superfluous right of the holder gives already."""
    all_steps = list(steps)
    return [
        it
        for it in all_steps
        if it.kind is AccessStepKind.GRANT
        and not any(
            held.kind is AccessStepKind.REVOKE
            and held.holder == it.holder
            and covers(held.right, it.right)
            for held in all_steps
        )
    ]


def covers(held: KafkaRight | MongoRight, wanted: KafkaRight | MongoRight) -> bool:
    """Return whether whoever has *held* may do what *wanted* allows, from anywhere."""
    match held, wanted:
        case KafkaRight(), KafkaRight():
            gives = {held.operation, _IMPLIES.get(held.operation)}
            return (
                held.host == ANY_HOST
                and held.resource == wanted.resource
                and _is_on(held, wanted.name)
                and bool(gives & {wanted.operation, ALL})
            )
        case MongoRight(), MongoRight():
            return held == MongoRight(WHOLE_DATABASE, wanted.operation)
    return False


def concerns(right: KafkaRight, wanted: Iterable[KafkaRight]) -> bool:
    """Return whether *right* lets somebody read or change something that *wanted* rights name."""
    if right.operation in {DESCRIBE, DESCRIBE_CONFIGS, IDEMPOTENT_WRITE}:
        return False
    return any(
        right.resource == it.resource and (_is_on(right, it.name) or _is_on(it, right.name))
        for it in wanted
    )


def _is_on(right: KafkaRight, name: str) -> bool:
    if right.prefixed:
        return name.startswith(right.name)
    return right.name in {EVERYTHING, name}
