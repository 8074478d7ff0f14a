"""
Whether Kafka shows its ACLs, or why it doesn't.

librdkafka 2.16 leaves out the error of a broker that refuses to describe ACLs, or has no
authorizer, as if there were none: so the broker is asked by another client first.
"""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError as RequestFailed
from aiokafka.protocol.admin import DescribeAclsRequest
from confluent_kafka import KafkaError
from confluent_kafka.admin import (
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from order_operations.connections.kafka_client import SILENCE_SECONDS, unavailable
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config


def refusal_to_show_acls(kafka: KafkaAddress) -> KafkaError | None:
    """
    Return the error of a broker that shows no ACLs, None of one that does.

    Raises OperationFailed where Kafka doesn't answer. Not for a thread with an event loop.
    """
    try:
        code = asyncio.run(_error_code(kafka))
    except (RequestFailed, TimeoutError, OSError) as error:
        raise unavailable(kafka) from error
    return KafkaError(code) if code else None


async def _error_code(kafka: KafkaAddress) -> int:
    client = AIOKafkaClient(**aiokafka_config(kafka))
    # Of rights that nobody has: only whether the broker answers counts.
    request = DescribeAclsRequest(
        ResourceType.BROKER.value,
        "kafka-cluster",
        ResourcePatternType.LITERAL.value,
        "User:",
        "*",
        AclOperation.ANY.value,
        AclPermissionType.ANY.value,
    )
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            await client.bootstrap()
            answer = await client.send(client.get_random_node(), request)
            return int(answer.error_code)
    finally:
        await client.close()
