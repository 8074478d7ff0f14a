"""What was refused for want of a right is named without what was to be written."""

from __future__ import annotations

import subprocess
import sys

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import KafkaError, KafkaException
from pymongo.errors import OperationFailure

from order_runtime.process.refused_rights import RefusedRight, refused_right

SECRET = "ada@example.com"


def denied(message: str) -> OperationFailure:
    return OperationFailure(message, 13, {"errmsg": message, "code": 13})


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        (
            'not authorized on ordermill to execute command { update: "jobs", ordered: true, '
            f'updates: [ {{ q: {{ _id: "{SECRET}" }} }} ] }}',
            "update on collection jobs",
        ),
        (
            'not authorized on ordermill to execute command { find: "orders", filter: {} }',
            "find on collection orders",
        ),
        (f"not authorized for something else with {SECRET}", "a command"),
    ],
)
def test_mongodb_names_command_and_collection_alone(message: str, refused: str) -> None:
    assert refused_right(denied(message)) == RefusedRight("MongoDB", refused)


def test_kafka_says_what_it_refused() -> None:
    text = "Subscribed topic not available: orders.commands: Broker: Topic authorization failed"
    error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, text))
    assert refused_right(error) == RefusedRight("Kafka", text)
    again = refused_right(TopicAuthorizationFailedError("orders.actions"))
    assert again is not None
    assert "orders.actions" in again.refused


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("another", 26, {}),
        KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)),
        KafkaException(),
        ValueError(),
        OSError(29, "Illegal seek"),  # the number of a refused topic, as Kafka counts
    ],
)
def test_other_errors_are_no_refusals(error: Exception) -> None:
    assert refused_right(error) is None


def test_the_gateway_does_not_load_aiokafka() -> None:
    """It has no use for it, and it takes time at the start."""
    code = "import sys, gateway.__main__; sys.exit('aiokafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
