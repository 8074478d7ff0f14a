"""Fourteen failures of a running system, each planted and mended, for whoever names causes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from threading import Event, Thread

import httpx

from order_contracts.topics import ENRICHER, GATEWAY
from order_operations.diagnosis.finding import Code
from order_stack.cluster.certificates import Authority
from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.builders.raw_records import RawRecord, register_record
from support.faults.fault import NotInjected
from support.faults.network_faults import DISK, DISK_SIZE, bytes_used, resize, small_disk
from support.stack.kafka_records import publish_records
from support.stack.running_stack import CLUSTER_OPTIONS, RunningStack, running_stack
from support.stack.webhook_receiver import set_behaviour

SOME = 12  # records
PAUSE = 0.5  # seconds between two orders of the load on the patient
FAST = 0.1  # between those that are to outnumber them
MONGODS = ("mongod-1", "mongod-2", "mongod-3")
ENRICHERS = (f"{ENRICHER}-1", f"{ENRICHER}-2")
FILLED = 0.9  # of a disk


@dataclass(frozen=True, slots=True)
class Patient:
    """A secure stack of two of each, and one contact that it knows."""

    stack: RunningStack
    data: Path
    contact: Json
    disk: Path | None
    """The small file system of `broker-3`; None if mounting isn't permitted."""

    def each(self, do: Callable[[str], None], *names: str) -> None:
        """Do it with all at once: several servers only get ready together."""
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(do, names))

    @contextmanager
    def orders(self, pause: float, *, known: bool = True) -> Iterator[list[Json]]:
        """
        Post orders of a contact that is known, or of new ones that aren't; yield their bodies.

        Their actions are to be delivered. What isn't accepted is not posted again.
        """
        bodies: list[Json] = []

        def post(client: httpx.Client, gateway: str) -> None:
            contact = self.contact if known else contact_body()
            action = {"action": "ConfirmOrder"}
            body = order_body(contact=matching(contact), orderAction=action)
            with suppress(httpx.TransportError):
                client.post(f"{gateway}/api/v3/orders", json=body)
                bodies.append(body)

        with in_the_background(self.stack, pause, post):
            yield bodies


@contextmanager
def in_the_background(
    stack: RunningStack, pause: float, do: Callable[[httpx.Client, str], None]
) -> Iterator[None]:
    """Do it again and again, after a pause of so many seconds, with one gateway after the other."""
    stop = Event()

    def go_on() -> None:
        headers, gateways = {"apikey": stack.apikey}, cycle(stack.gateways)
        with httpx.Client(verify=stack.tls, headers=headers) as client:
            while not stop.wait(pause):
                do(client, next(gateways))

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def patient_cluster(home: Path) -> Iterator[Patient]:
    """Start the stack, with a small disk for one broker where mounting is permitted."""
    data, contact = home / "data", contact_body()
    contacts = home / "contacts.ndjson"
    contacts.write_text(json.dumps(contact))
    options = ("--secure", "--partitions", "4", *CLUSTER_OPTIONS, "--data", str(data))
    with (
        small_disk(data / DISK.replace("broker", "kafka")) as disk,
        running_stack(home / "home", *options, seconds=400) as stack,
    ):
        stack.orders("reference", "load", "--wait", str(contacts))
        patient = Patient(stack, data, contact, disk)
        with patient.orders(PAUSE):
            yield patient


@dataclass(frozen=True, slots=True)
class PlantedFailure:
    """A failure, the code of the finding that names it, and the alert that tells of it."""

    code: Code
    alert: str
    plant: Callable[[Patient], AbstractContextManager[None]]
    """Plants on entry, mends on exit; may raise NotInjected on entry."""

    @property
    def name(self) -> str:
        return self.plant.__name__


@contextmanager
def consumer_stopped(patient: Patient) -> Iterator[None]:
    patient.stack.kill(ENRICHERS[0], "STOP")
    yield
    patient.stack.kill(ENRICHERS[0], "CONT")


@contextmanager
def all_enrichers_down(patient: Patient) -> Iterator[None]:
    patient.each(patient.stack.kill, *ENRICHERS)
    yield
    patient.each(patient.stack.start, *ENRICHERS)


@contextmanager
def broker_killed(patient: Patient) -> Iterator[None]:
    patient.stack.kill("broker-2")
    yield
    patient.stack.start("broker-2")


@contextmanager
def all_mongods_down(patient: Patient) -> Iterator[None]:
    patient.each(patient.stack.kill, *MONGODS)
    yield
    patient.each(patient.stack.start, *MONGODS)


@contextmanager
def _receiver(patient: Patient, **behaviour: float) -> Iterator[None]:
    set_behaviour(patient.stack.receiver, times=1_000, **behaviour)
    yield
    set_behaviour(patient.stack.receiver, times=0)


@contextmanager
def receiver_answers_500(patient: Patient) -> Iterator[None]:
    with _receiver(patient, status=500):
        yield
    # Circuits close with the next probe; an operator need not wait for it.
    patient.stack.orders("deliveries", "pause", "default")
    patient.stack.orders("deliveries", "resume", "default")


@contextmanager
def receiver_answers_410(patient: Patient) -> Iterator[None]:
    with _receiver(patient, status=410):
        yield
    patient.stack.orders("deliveries", "enable", "default")


@contextmanager
def receiver_hangs(patient: Patient) -> Iterator[None]:
    with _receiver(patient, delaySeconds=120):
        yield
    patient.stack.orders("deliveries", "pause", "default")
    patient.stack.orders("deliveries", "resume", "default")


@contextmanager
def publisher_of_garbage(patient: Patient) -> Iterator[None]:
    headers = {"ce_specversion": "1.0", "ce_source": "/shop", "ce_type": "RegisterOrder.v1"}
    garbage = RawRecord(unique("order"), b"{not json", headers)
    publish_records(patient.stack.kafka, [garbage] * SOME)
    yield


@contextmanager
def wrong_partitioner(patient: Patient) -> Iterator[None]:
    """All on one partition, wherever their keys belong."""
    bodies = [order_body(contact=matching(patient.contact)) for _ in range(SOME)]
    publish_records(patient.stack.kafka, map(register_record, bodies), partition=0)
    yield


@contextmanager
def contacts_missing(patient: Patient) -> Iterator[None]:
    with patient.orders(FAST, known=False) as bodies:
        yield
    file = patient.data / "came-later.ndjson"
    contacts = [{"contactId": it["contact"]["matchKey"]} for it in bodies]
    file.write_text("\n".join(map(json.dumps, contacts)))
    patient.stack.orders("reference", "load", "--wait", str(file))


@contextmanager
def revoked_key_in_use(patient: Patient) -> Iterator[None]:
    made = json.loads(patient.stack.orders("keys", "new", "shop", "--json").stdout)
    patient.stack.orders("keys", "revoke", made["id"])

    def use(client: httpx.Client, gateway: str) -> None:
        client.get(f"{gateway}/api/v3/orders/none", headers={"apikey": made["key"]})

    with in_the_background(patient.stack, 1.0, use):
        yield


@contextmanager
def webhooks_file_with_an_error(patient: Patient) -> Iterator[None]:
    file = patient.data / "webhooks.toml"
    before = file.read_text()
    file.write_text(before.replace("url = ", "uri = "))
    yield
    file.write_text(before)


@contextmanager
def certificate_about_to_expire(patient: Patient) -> Iterator[None]:
    authority = Authority(patient.data / "certificates")
    _renew(patient, authority, timedelta(days=5))
    yield
    _renew(patient, authority, timedelta(days=300))


def _renew(patient: Patient, authority: Authority, lifetime: timedelta) -> None:
    """Issue a certificate, and connect to each gateway, which reads it for a new connection."""
    authority.issue(GATEWAY, lifetime)
    for gateway in patient.stack.gateways:
        httpx.get(f"{gateway}/api/v3/openapi.json", verify=patient.stack.tls)


@contextmanager
def disk_filling(patient: Patient) -> Iterator[None]:
    if patient.disk is None:
        raise NotInjected("mounting a file system isn't permitted here")
    resize(patient.disk, str(int(bytes_used(patient.disk) / FILLED)))
    yield
    resize(patient.disk, DISK_SIZE)


FAILURES = (
    PlantedFailure(Code.PROCESS_SILENT, "InstanceDown", consumer_stopped),
    PlantedFailure(Code.SERVICE_DOWN, "ServiceDown", all_enrichers_down),
    PlantedFailure(Code.BROKER_AWAY, "KafkaReplicasMissing", broker_killed),
    PlantedFailure(Code.MONGODB_AWAY, "MongoDBAway", all_mongods_down),
    PlantedFailure(Code.ENDPOINT_FAILS, "CircuitOpen", receiver_answers_500),
    PlantedFailure(Code.ENDPOINT_SHUT, "EndpointDisabled", receiver_answers_410),
    PlantedFailure(Code.ENDPOINT_FAILS, "CircuitOpen", receiver_hangs),
    PlantedFailure(Code.COMMANDS_UNREADABLE, "DeadLetters", publisher_of_garbage),
    PlantedFailure(Code.COMMANDS_MISROUTED, "CommandsMisrouted", wrong_partitioner),
    PlantedFailure(Code.CONTACTS_MISSING, "ContactsMissing", contacts_missing),
    PlantedFailure(Code.REVOKED_KEY_USED, "UnknownKeys", revoked_key_in_use),
    PlantedFailure(Code.WEBHOOKS_FILE_REFUSED, "WebhooksFileRefused", webhooks_file_with_an_error),
    PlantedFailure(Code.CERTIFICATE_ENDS, "CertificateEndsSoon", certificate_about_to_expire),
    PlantedFailure(Code.DISK_FILLS, "DiskFills", disk_filling),
)
