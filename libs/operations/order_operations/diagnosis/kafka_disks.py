"""How full the disks of Kafka's brokers are, by DescribeLogDirs; neither client library has it."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from order_operations.diagnosis.facts import Disk
from order_operations.diagnosis.questions import NO_RIGHT
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config

SECONDS: Final = 4.0
_CLUSTER_AUTHORIZATION_FAILED: Final = 31
_PARTITIONS: Final = CompactArray(
    ("partition_index", Int32),
    ("partition_size", Int64),
    ("offset_lag", Int64),
    ("is_future_key", Boolean),
    ("tags", TaggedFields),
)


class DescribeLogDirsResponseV4(Response):  # type: ignore[misc]
    """Sizes in bytes; those of the file systems are -1 where a broker doesn't tell them."""

    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            CompactArray(
                ("error_code", Int16),
                ("log_dir", CompactString("utf-8")),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString("utf-8")),
                        ("partitions", _PARTITIONS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeLogDirsRequestV4(RequestStruct):  # type: ignore[misc]
    """For topics that are named; none gives the directories alone."""

    FLEXIBLE_VERSION = True
    API_KEY = 35
    API_VERSION = 4
    RESPONSE_TYPE = DescribeLogDirsResponseV4
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                ("partitions", CompactArray(Int32)),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeLogDirsRequest(Request[DescribeLogDirsRequestV4]):  # type: ignore[misc]
    """Asks one broker for its directories, since Kafka 3.3 with the size of their file systems."""

    API_KEY = 35

    def build(
        self, request_struct_class: type[DescribeLogDirsRequestV4]
    ) -> DescribeLogDirsRequestV4:
        return request_struct_class([], {})


def kafka_disks(kafka: KafkaAddress) -> list[Disk]:
    """
    Return the file system of each log directory of each broker that is alive.

    Raises OperationFailed where this login lacks the right Describe on the cluster, TimeoutError
    or an error of aiokafka's where a broker doesn't answer. Not for a thread with an event loop.
    """
    return asyncio.run(_disks(kafka))


async def _disks(kafka: KafkaAddress) -> list[Disk]:
    client = AIOKafkaClient(**aiokafka_config(kafka))
    try:
        async with asyncio.timeout(SECONDS):
            await client.bootstrap()
            brokers = sorted(it.nodeId for it in client.cluster.brokers())
            found = [await _of_broker(client, it) for it in brokers]
    finally:
        await client.close()
    return [disk for disks in found for disk in disks]


async def _of_broker(client: AIOKafkaClient, broker: int) -> list[Disk]:
    answer = await client.send(broker, DescribeLogDirsRequest())
    if answer.error_code == _CLUSTER_AUTHORIZATION_FAILED:
        raise OperationFailed(NO_RIGHT)
    return [
        Disk(f"broker {broker} ({log_dir})", total - usable, total)
        for error, log_dir, _, total, usable, _ in answer.results
        if not error and total > 0
    ]
