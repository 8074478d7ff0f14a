"""Records that claim to be a gateway's and can't be read, as anybody may publish them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

from order_runtime.auth.job_ids import issue_job_id
from support.builders.bodies import order_body, unique
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord, register_record
from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.load.external_publisher import ExternalPublisher
from support.load.recovery_probe import RecoveryProbe
from support.stack.gateway_secret import job_secret
from support.stack.kafka_records import read_key
from support.stack.wait import until

GOOD_COMMANDS = 300
FORGED_EVERY = 10
UNREADABLE_VALUES: Final = (b"{not json", None, b"\xff\xfe", b"[]")


@contextmanager
def forged_gateway_records(cluster: FaultCluster) -> Iterator[None]:
    """Publish good commands; a forged record, followed by a good one of its order, in every ten."""
    forgeries = forged_records(cluster.rng, job_secret(cluster.stack), gateway_record(cluster))
    publisher = ExternalPublisher(cluster.stack.kafka, cluster.journal)
    for number in range(GOOD_COMMANDS):
        good = register_record(order_body(contact=cluster.profile.contacts[0]))
        if number % FORGED_EVERY == 0:
            publisher.send(next(forgeries)(str(good.key)))
        publisher.send(good)
    publisher.flush()
    yield


def forged_records(
    rng: Random, secret: bytes, real: RawRecord
) -> Iterator[Callable[[str], RawRecord]]:
    """
    Yield forgeries without end, each to be given the key of an order.

    Every other one has a job id that a gateway could have issued; it may be that of a job which has
    expired. The others copy the *real* record of a gateway with its signature, and keep its key,
    since a job id is one order's.
    """
    while True:
        for value in UNREADABLE_VALUES:
            job_id = issue_job_id(time.time_ns() // 1_000_000, rng.getrandbits(48), secret)
            yield partial(forged_record, value=value, job_id=job_id)
            yield partial(_copy, real=real, value=value)


def forged_record(order_id: str, value: bytes | None, job_id: str) -> RawRecord:
    """Return an unreadable record under a job id, with a signature of nobody's."""
    claims = {"ce_source": "/gateway", "ce_gatewaysignature": "0" * 64}
    good = register_record(order_body(order_id), job_id)
    return replace(good.with_headers(claims), value=value)


def _copy(_: str, real: RawRecord, value: bytes | None) -> RawRecord:
    return replace(real, value=value)


def gateway_record(cluster: FaultCluster) -> RawRecord:
    """Post an order; return its record as the gateway published it, with the signature."""
    order_id = unique("copied")
    probe = RecoveryProbe(cluster.stack, cluster.journal, cluster.profile.contacts[0])
    until(lambda: probe.post(order_id), seconds=60, of="a post that is accepted")
    message = read_key(cluster.stack.kafka, COMMANDS_TOPIC, order_id, 1)[0]
    return RawRecord(message.key(), message.value(), list(message.headers() or ()))


FORGERY_FAULTS = (Fault("forged records of a gateway", forged_gateway_records),)
