"""A probe for recovery: new orders, posted and published, are processed to the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle
from uuid import uuid4

import httpx
from aiokafka.partitioner import murmur2

from support.builders.bodies import Json, order_body, unique
from support.builders.raw_records import register_record
from support.history.journal import Journal, Publication, RecordedCall
from support.load.external_publisher import ExternalPublisher
from support.model.model import REGISTER
from support.stack.api_client import job_of_response
from support.stack.running_stack import RunningStack

PARTITIONS = 12
RESPONSE_TIMEOUT = 5.0  # seconds
PAUSE = 0.1


class RecoveryProbe:
    """Sends two orders with an action for each partition, one over HTTP and one on Kafka."""

    def __init__(self, stack: RunningStack, journal: Journal, contact: Json) -> None:
        self._client = httpx.Client(
            headers={"apikey": stack.apikey}, timeout=RESPONSE_TIMEOUT, verify=stack.tls
        )
        self._gateways = cycle(f"{gateway}/api/v3" for gateway in stack.gateways)
        self._journal = journal
        self._publisher = ExternalPublisher(stack.kafka, journal)
        self._contact = contact

    def settle(self, seconds: float) -> None:
        """Send the orders, and wait until all their actions are delivered."""
        end = time.monotonic() + seconds
        waiting = [*self._published(end), *self._posted(end)]
        while waiting := [it for it in waiting if not self._is_delivered(it)]:
            _check(end, f"{len(waiting)} orders aren't delivered, {waiting[0]} for one")
            time.sleep(PAUSE)

    def _posted(self, end: float) -> Iterator[str]:
        for partition in range(PARTITIONS):
            while (job_id := self.post(order_id_for(partition))) is None:
                _check(end, f"no post is accepted for partition {partition}")
                time.sleep(PAUSE)
            yield job_id

    def _published(self, end: float) -> Iterator[str]:
        """Publish an order per partition; retry with a new one if it isn't acknowledged."""
        left = set(range(PARTITIONS))
        while left:
            sent = {partition: self._publish(order_id_for(partition)) for partition in left}
            self._publisher.flush()
            arrived = {
                partition for partition in left if sent[partition][1].partition_offset is not None
            }
            yield from (sent[partition][0] for partition in arrived)
            left -= arrived
            _check(end, f"no record is acknowledged on the partitions {left}")

    def post(self, order_id: str) -> str | None:
        """Post an order once; return its job id, or None if it wasn't accepted."""
        trace = f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
        call = RecordedCall(trace, REGISTER, (order_id,), time.time(), "POST", "/orders", {}, {})
        call.body = self._order(order_id)
        self._journal.calls.append(call)
        url = f"{next(self._gateways)}/orders"
        try:
            response = self._client.post(url, json=call.body, headers={"traceparent": trace})
        except httpx.TransportError:
            return None
        call.response, call.status = response.json(), response.status_code
        return call.response.get("jobId") if response.status_code == httpx.codes.ACCEPTED else None

    def _publish(self, order_id: str) -> tuple[str, Publication]:
        job_id = str(uuid4())
        return job_id, self._publisher.send(register_record(self._order(order_id), job_id))

    def _order(self, order_id: str) -> Json:
        return order_body(order_id, contact=self._contact, orderAction={"action": "ConfirmOrder"})

    def _is_delivered(self, job_id: str) -> bool:
        try:
            job = job_of_response(self._client.get(f"{next(self._gateways)}/orders/jobs/{job_id}"))
        except (httpx.TransportError, ValueError):
            return False
        return job is not None and job.get("stages", {}).get("action") == "delivered"


def order_id_for(partition: int) -> str:
    """Return a new orderId that belongs to the partition."""
    while True:
        order_id = unique("probe")
        if (murmur2(order_id.encode()) & 0x7FFFFFFF) % PARTITIONS == partition:
            return order_id


def _check(end: float, said: str) -> None:
    if time.monotonic() > end:
        raise AssertionError(f"not recovered: {said}")
