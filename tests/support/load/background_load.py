"""
A steady mixed load on a running system, over HTTP and on Kafka, recorded in a journal.

    profile = LoadProfile(order_ids=..., contacts=[matching(known), ...], misrouted=[...], seed=7)
    with background_load(stack, profile, journal):  # runs in a thread of its own
        ...                                         # faults, recorded with journal.fault("name")

The load tolerates all faults: a call without a response is recorded as such, and one with an
Idempotency-Key is retried. `misrouted` has at most one order per partition, from
`misrouted_order_ids`: none of them is on the partition of its key.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random

import aiohttp
from aiokafka.partitioner import murmur2
from yarl import URL

from support.builders.bodies import Json
from support.builders.raw_records import RawRecord
from support.history.journal import Journal, RecordedCall, accepted_commands
from support.load.command_encoders import HttpRequest, http_request
from support.load.command_generator import CommandGenerator
from support.load.contact_changes import ContactChanges
from support.load.external_publisher import ExternalPublisher
from support.model.model import REGISTER
from support.stack.running_stack import RunningStack

TRIES = 4  # of a call with an Idempotency-Key
RESPONSE_TIMEOUT = 20.0  # seconds
MISROUTED_ORDERS = 4
CONTACTS_TOPIC = "reference.contacts"


@dataclass(frozen=True, slots=True)
class LoadProfile:
    order_ids: Sequence[str]
    contacts: Sequence[Json] = ()
    """The `contact` of orders whose contact exists."""
    misrouted: Sequence[str] = ()
    changes: ContactChanges = field(default_factory=ContactChanges)
    """Contacts that change during the load."""
    contact_interval: float = 10.0
    """Seconds between two of these changes."""
    seed: int = 0
    clients: int = 4
    publishers: int = 2
    pause: float = 0.1
    """Seconds between two calls of a client, or two records of a publisher."""
    agreed: bool = False
    """Leave out what earlier releases read in another way."""


@dataclass
class LoadClient:
    """A client that sends its calls one by one, to all gateways in turn."""

    gateways: Sequence[str]
    apikey: str
    generator: CommandGenerator
    rng: Random
    journal: Journal
    _next_gateway: cycle[str] = field(init=False)

    def __post_init__(self) -> None:
        self._next_gateway = cycle(self.gateways)

    async def send_call(self, session: aiohttp.ClientSession) -> None:
        """Send one call; retry it if it has an Idempotency-Key and its result is unknown."""
        if self.rng.random() < 0.08:
            rows = self.generator.registrations(5)
            request = HttpRequest("POST", "/orders/bulk", {}, [row.body for row in rows])
            kind, order_ids = REGISTER, tuple(row.order_id for row in rows)
        else:
            command = self.generator.command()
            request = http_request(command, wait=5 if self.rng.random() < 0.1 else None)
            kind, order_ids = command.kind, (command.order_id,)
        for _ in range(TRIES if "idempotency-key" in request.headers else 1):
            call = await self._send(session, request, kind, order_ids)
            for order_id, job_id in accepted_commands(call):
                self.generator.note_job(order_id, job_id)
            if call.status is not None and call.status < 500:
                return
            await asyncio.sleep(0.5)

    async def _send(
        self,
        session: aiohttp.ClientSession,
        request: HttpRequest,
        kind: str,
        order_ids: tuple[str, ...],
    ) -> RecordedCall:
        trace = f"00-{self.rng.getrandbits(128):032x}-{self.rng.getrandbits(64):016x}-01"
        headers = {**request.headers, "traceparent": trace}
        began = time.time()
        call = RecordedCall(
            trace, kind, order_ids, began, request.method, request.path, headers, request.body
        )
        self.journal.calls.append(call)
        own = {"apikey": self.apikey, "content-type": "application/json"}
        data = None if request.body is None else json.dumps(request.body).encode()
        url = URL(f"{next(self._next_gateway)}/api/v3{request.path}", encoded=True)
        with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with session.request(
                request.method, url, data=data, headers=headers | own, allow_redirects=False
            ) as answer:
                call.response = await answer.json(content_type=None)
                call.status = answer.status
        return call


@contextmanager
def background_load(stack: RunningStack, profile: LoadProfile, journal: Journal) -> Iterator[None]:
    """Run the load for the body; an error of the load itself is raised at the end."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(loop.run_until_complete, run_load(stack, profile, journal, stop))
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            done.result(300)
            loop.close()


async def run_load(
    stack: RunningStack, profile: LoadProfile, journal: Journal, stop: asyncio.Event
) -> None:
    """Run the load until *stop* is set; requests in flight are finished first."""
    seeds = [
        profile.seed * 1_000 + number for number in range(profile.clients + profile.publishers)
    ]
    generators = [
        (
            Random(seed),
            CommandGenerator(
                Random(seed),
                profile.order_ids,
                profile.contacts,
                profile.misrouted,
                profile.changes.order_contacts,
                profile.agreed,
            ),
        )
        for seed in seeds
    ]
    # A new connection for each call: on a reused one aiohttp repeats a PUT or DELETE that broke,
    # and the journal would have one call for two requests.
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=stack.tls)
    timeout = aiohttp.ClientTimeout(total=RESPONSE_TIMEOUT)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for rng, generator in generators[: profile.clients]:
            client = LoadClient(stack.gateways, stack.apikey, generator, rng, journal)
            tasks.create_task(_client(client, session, profile.pause, stop))
        for _, generator in generators[profile.clients :]:
            publisher = ExternalPublisher(stack.kafka, journal)
            tasks.create_task(_publisher(publisher, generator, profile.pause, stop))
        tasks.create_task(_change_contacts(ExternalPublisher(stack.kafka, journal), profile, stop))


async def _client(
    client: LoadClient, session: aiohttp.ClientSession, pause: float, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        await client.send_call(session)
        await asyncio.sleep(pause)


async def _publisher(
    publisher: ExternalPublisher, generator: CommandGenerator, pause: float, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        publisher.send(generator.next_record())
        await asyncio.sleep(pause)
    await asyncio.to_thread(publisher.flush)


async def _change_contacts(
    publisher: ExternalPublisher, profile: LoadProfile, stop: asyncio.Event
) -> None:
    """Publish one contact or tombstone after the other, in random order."""
    for contact_id, contact in profile.changes.in_random_order(profile.seed):
        with suppress(TimeoutError):
            async with asyncio.timeout(profile.contact_interval):
                await stop.wait()
        if stop.is_set():
            break
        value = None if contact is None else json.dumps(contact).encode()
        publisher.send(RawRecord(contact_id, value, {}), CONTACTS_TOPIC)
    await asyncio.to_thread(publisher.flush)


def misrouted_order_ids(prefix: str, partitions: int, wanted: int = MISROUTED_ORDERS) -> list[str]:
    """Return orderIds for the partitions 0, 1, …; none belongs to its partition by its key."""
    found: list[str] = []
    for number in count():
        if len(found) == wanted:
            break
        name = f"{prefix}-misrouted-{number}"
        if (murmur2(name.encode()) & 0x7FFFFFFF) % partitions != len(found):
            found.append(name)
    return found


def numbered_order_ids(prefix: str, wanted: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(wanted)]


def all_order_ids(profile: LoadProfile) -> list[str]:
    """Return all orders of the load, for `History.of`."""
    return [*profile.order_ids, *profile.misrouted]
