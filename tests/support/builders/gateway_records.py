"""Records of `orders.commands` as one of our own gateways sends them: an issued id, a signature."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import JobIdSecrets, issue_job_id
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch_items import TopicInfo
from support.builders.commands import AT, PARTITIONS, raw_record

SECRETS = JobIdSecrets([b"s" * 32])
SIGNATURES = CommandSignatures(SECRETS)
OWN_TOPIC = TopicInfo(
    "topic-1",
    PARTITIONS,
    issued=lambda job_id: SECRETS.issued_at(job_id) is not None,
    signed=SIGNATURES.made,
)
"""What an order-writer knows that has the gateways' secrets."""


def issued_id(at: datetime = AT, random: int = 5, secret: bytes = SECRETS.newest_first[0]) -> str:
    return issue_job_id(int(at.timestamp() * 1000), random, secret)


def claimed(value: bytes | None, *, job_id: str | None = None, at: datetime = AT) -> Record:
    """Return a record that says that a gateway sent it, as anybody can who saw a job's id."""
    sent = raw_record(value, job_id=job_id or issued_id(at), at=at)
    headers = [pair for pair in sent.headers if pair[0] != "ce_source"]
    return replace(sent, headers=(*headers, ("ce_source", b"/gateway")))


def own(value: bytes | None, *, job_id: str | None = None, at: datetime = AT) -> Record:
    """Return a record that a gateway sent."""
    return signed(claimed(value, job_id=job_id, at=at))


def signed(record: Record, signatures: CommandSignatures = SIGNATURES) -> Record:
    sent = Outgoing(record.topic, record.key, record.value, record.headers)
    return replace(record, headers=signatures.signed(sent).headers)
