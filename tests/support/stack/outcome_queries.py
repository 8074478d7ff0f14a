"""Looks up the outcome of commands in events, the integration log and dead letters."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from confluent_kafka import Message
from pymongo import MongoClient

from support.builders.bodies import Json
from support.stack.kafka_records import header, messages_of_order, read_all, value
from support.stack.running_stack import RunningStack
from support.stack.wait import until


def rejections(stack: RunningStack, order_id: str) -> list[Json]:
    """Wait for OrderCommandRejected events of an order; return their data."""
    return [value(event) for event in until(lambda: _rejected(stack, order_id), of=order_id)]


def _rejected(stack: RunningStack, order_id: str) -> list[Message]:
    events = messages_of_order(read_all(stack.kafka, "orders.events"), order_id)
    return [event for event in events if header(event, "ce_type") == "OrderCommandRejected.v1"]


def log_codes(stack: RunningStack, job_id: str) -> list[str]:
    """Return the codes of a job's entries in the integration log, sorted."""
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        found = client[stack.database]["integration_log"].find({"jobId": job_id})
        return sorted(entry["code"] for entry in found)


def log_entries(stack: RunningStack, job_id: str, code: str) -> list[Json]:
    """Return a job's entries of that code in the integration log."""
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        wanted = {"jobId": job_id, "code": code}
        return list(client[stack.database]["integration_log"].find(wanted))


def log_codes_by_job(stack: RunningStack) -> dict[str, set[str]]:
    """Return the codes in the integration log by job id."""
    codes: dict[str, set[str]] = defaultdict(set)
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        for entry in client[stack.database]["integration_log"].find({"jobId": {"$ne": None}}):
            codes[entry["jobId"]].add(entry["code"])
    return codes


def dead_letters(stack: RunningStack, topic: str, positions: set[tuple[int, int]]) -> list[Message]:
    """Return the dead letters of the records at *positions* (partition, offset) of *topic*."""
    return [
        message
        for message in read_all(stack.kafka, f"{topic}.dlq")
        if (
            int(header(message, "__connect.errors.partition") or -1),
            int(header(message, "__connect.errors.offset") or -1),
        )
        in positions
    ]
