"""Each secret is changed under load, as docs/operating.md and SECURITY.md say: nobody notices."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import httpx
import pytest

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_stack.cluster.certificates import Authority
from support.builders.bodies import matching, order_body
from support.load.order_stream import OrderStream
from support.stack.api_client import ApiClient
from support.stack.logins import (
    add_kafka_user,
    add_mongo_user,
    change_profile,
    drop_mongo_user,
    retire_kafka_user,
)
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhooks

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

TWO_OF_EACH = ("--gateways", "2", "--writers", "2", "--enrichers", "2", "--triggers", "2")
SERVICES = (GATEWAY, WRITER, ENRICHER, TRIGGER)
CONTACT = {"contactId": "c-rotation"}
SECONDS = 60.0
SOME = 20  # posts
REREAD_SECONDS = 10.0  # in which a file that changed is read again


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home = tmp_path_factory.mktemp("secure")
    options = ("--secure", "--partitions", "2", *TWO_OF_EACH)
    contacts = home / "contacts.ndjson"
    contacts.write_text(json.dumps(CONTACT))
    with running_stack(home, *options, seconds=300) as started:
        started.orders("reference", "load", str(contacts))
        yield started


@pytest.fixture
def data(system: RunningStack) -> Path:
    assert system.logins is not None
    return system.logins.parent


@contextmanager
def under_load(system: RunningStack) -> Iterator[OrderStream]:
    """Post orders to both gateways meanwhile; all that were accepted are stored afterwards."""
    with OrderStream(system) as stream:
        until(lambda: len(stream.accepted) > SOME, seconds=SECONDS, of="posts before")
        yield stream
        seen = len(stream.accepted)
        until(lambda: len(stream.accepted) > seen + SOME, seconds=SECONDS, of="posts after")
    api = ApiClient(system)
    for it in stream.accepted:
        assert api.stored(it.job_id, seconds=SECONDS)["status"] != "Failed"


def restart_one_after_the_other(system: RunningStack, service: str, **settings: str) -> None:
    for name in (f"{service}-1", f"{service}-2"):
        system.kill(name, "TERM")
        system.start(name, wait=True, **settings)


def test_an_api_key(system: RunningStack) -> None:
    old = system.apikey
    with under_load(system):
        made = json.loads(system.orders("keys", "rotate", old.partition(".")[0], "--json").stdout)
        client = httpx.Client(verify=system.tls, base_url=f"{system.gateway}/api/v3")
        answer = client.post("/orders", json=order_body(), headers={"apikey": made["key"]})
        assert answer.status_code == 202
        system.orders("keys", "revoke", made["id"])
        until(
            lambda: client.get("/orders/x", headers={"apikey": made["key"]}).status_code == 401,
            seconds=REREAD_SECONDS,
            of="the revoked key is refused",
        )


def test_the_gateways_certificate(system: RunningStack, data: Path) -> None:
    with under_load(system) as stream:
        before = certificates(system)
        Authority(data / "certificates").issue(GATEWAY)
        until(
            lambda: all(it not in before for it in certificates(system)),
            seconds=REREAD_SECONDS,
            of="new connections get the new certificate",
        )
    assert max(it.tries for it in stream.accepted) == 1


def certificates(system: RunningStack) -> list[str]:
    return [
        ssl.get_server_certificate((address.hostname or "", address.port or 0))
        for address in map(urlsplit, system.gateways)
    ]


def test_the_webhooks_secret(system: RunningStack, data: Path) -> None:
    """Both secrets sign until the receiver has changed its own."""
    file = data / "webhooks.toml"
    before = file.read_text()
    [old] = [it.split('"')[1] for it in before.splitlines() if it.startswith("secrets")]
    new = f"whsec_{'A' * 43}="
    with under_load(system):
        file.write_text(before.replace(f'"{old}"', f'"{new}", "{old}"'))
        until(lambda: signatures(system) == 2, seconds=SECONDS, of="both secrets sign")
        system.kill("receiver")
        system.start("receiver", RECEIVER_SECRET=new)
        file.write_text(before.replace(old, new))
        until(lambda: signatures(system) == 1, seconds=SECONDS, of="the new one signs alone")
    assert all(it["verified"] for it in received_webhooks(system.receiver))


def signatures(system: RunningStack) -> int:
    """Have an action delivered; return how many secrets signed it."""
    api = ApiClient(system)
    body = order_body(orderAction={"action": "ConfirmOrder"}, contact=matching(CONTACT))
    job = api.settled(api.registered(body), seconds=SECONDS)
    assert job["stages"]["action"] == "delivered", job
    return len(received_webhooks(system.receiver)[-1]["headers"]["webhook-signature"].split())


def test_the_metrics_token(system: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the first token")
    with under_load(system):
        system.kill("gateway-2", "TERM")
        system.start("gateway-2", ORDERMILL_METRICS_TOKEN_FILE=str(file))
        metrics = f"{system.part('gateway-2')['url']}/metrics"
        assert [scraped(metrics, it) for it in ("another", "the first token")] == [401, 200]
        file.write_text("the second token")
        until(lambda: scraped(metrics, "the second token") == 200, seconds=REREAD_SECONDS)
        assert scraped(metrics, "the first token") == 401
        system.kill("gateway-2", "TERM")
        system.start("gateway-2")


def scraped(url: str, token: str) -> int:
    return httpx.get(url, headers={"authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize("service", SERVICES)
def test_a_login_to_kafka_and_mongodb(system: RunningStack, service: str) -> None:
    """A second user, one process after the other, and the first user is gone."""
    old, new, password = system.profile(service).kafka_username, f"{service}-b", token_hex(16)
    with under_load(system):
        add_kafka_user(system, service, new, password)
        add_mongo_user(system, service, new, password)
        change_profile(system, service, new, password)
        restart_one_after_the_other(system, service)
        retire_kafka_user(system, old)
        drop_mongo_user(system, old)


def test_the_certificates_of_brokers_and_mongods(system: RunningStack, data: Path) -> None:
    """By their restart; services wait for them meanwhile."""
    with under_load(system):
        for part in ("broker", "mongod"):
            Authority(data / "certificates").issue(part)
            system.kill(part, "TERM")
            system.start(part)


def test_the_secrets_of_job_ids(system: RunningStack, data: Path) -> None:
    """Order-writers know a new one before gateways use it, and jobs of before are still known."""
    api = ApiClient(system)
    before = api.registered(order_body())
    old = json.loads((data / "identity.json").read_text())["job_secret"]
    both = f"{token_hex(32)},{old}"
    with under_load(system):
        for service in (WRITER, GATEWAY):
            restart_one_after_the_other(system, service, ORDERMILL_JOB_SECRETS=both)
    assert api.job(before).status_code == 200
