"""All services and the command on a Kafka that asks for a login or a certificate, of every kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from structlog.testing import capture_logs

from order_contracts.topics import DEFAULT_PARTITIONS, GATEWAY
from order_runtime.kafka.address import KafkaAddress, Mechanism
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.refusal_log import RefusalLog, log_refusal
from order_runtime.process.log_events import KAFKA_REFUSES
from order_runtime.startup import preflight
from order_runtime.startup.preflight import check_topics
from order_stack.cluster.certificates import Authority
from support.builders.bodies import order_body, unique
from support.stack.api_client import ApiClient
from support.stack.oauth_server import OAuthServer, oauth_server
from support.stack.running_stack import OrdersCommand, running_stack
from support.stack.secure_broker import PASSWORD, SecureBroker, login_variables, secure_broker
from support.stack.wait import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(300)]

WAYS = ["certificate", *Mechanism]


@pytest.fixture
def oauth() -> Iterator[OAuthServer]:
    with oauth_server("ordermill", "a secret of the OAuth server") as server:
        yield server


@pytest.fixture
def broker(tmp_path: Path, oauth: OAuthServer) -> Iterator[SecureBroker]:
    """Start one for each test: a stack's database would be behind what another one committed."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with secure_broker(folder, oauth) as started:
        yield started


def address_of(broker: SecureBroker, way: str, password: str = PASSWORD) -> KafkaAddress:
    if way == "certificate":
        return broker.by_certificate()
    return broker.by_login(Mechanism(way), password)


@pytest.mark.parametrize("way", WAYS)
def test_every_client_gets_in(broker: SecureBroker, tmp_path: Path, way: str) -> None:
    """From the POST to the webhook: the producers, the three kinds of consumers, the command."""
    address, contact = address_of(broker, way), unique("contact")
    env = login_variables(address)
    entries = tmp_path / "contacts.ndjson"
    entries.write_text(json.dumps({"contactId": contact}))
    with running_stack(tmp_path, "--kafka", address.servers, env=env) as stack:
        stack.command.run("reference", "load", str(entries), env=env)
        api, key = ApiClient(stack), {"matchKey": contact, "matchKeyType": "ContactId"}
        body = order_body(contact=key, orderAction={"action": "ConfirmOrder"})
        job = api.settled(api.registered(body))
        assert job["stages"] == {"storage": "done", "enrichment": "done", "action": "delivered"}
        logs = stack.command.log_tails()
        saved = "".join(it.read_text() for it in (tmp_path / stack.name).glob("*.json"))
    assert "Kafka refuses" not in logs
    assert PASSWORD not in logs + saved


def test_a_refused_command_says_why(broker: SecureBroker, tmp_path: Path) -> None:
    wrong = broker.by_login(Mechanism.SCRAM_SHA_512, "a wrong password")
    command = OrdersCommand("refused", tmp_path)
    done = command.run("up", "--kafka", wrong.servers, env=login_variables(wrong), check=False)
    assert done.returncode != 0
    assert "doesn't let the command in" in done.stderr
    assert "invalid credentials" in done.stderr
    assert "a wrong password" not in done.stderr


def refused(broker: SecureBroker, tmp_path: Path) -> Mapping[str, tuple[KafkaAddress, str]]:
    """Return addresses that are wrong, with a part of the sentence that says so."""
    stranger = Authority(tmp_path / "stranger").ca
    certificate = broker.by_certificate()
    logins = {
        str(it): (broker.by_login(it, "wrong"), said)
        for it, said in (
            (Mechanism.PLAIN, "Invalid username or password"),
            (Mechanism.SCRAM_SHA_256, "invalid credentials"),
            (Mechanism.OAUTHBEARER, "invalid_client"),
        )
    }
    return logins | {
        "unknown authority": (replace(certificate, ca_file=stranger), "could not be verified"),
        "no certificate": (
            replace(certificate, cert_file=None, key_file=None),
            "certificate required",
        ),
    }


def test_a_service_says_why_it_is_refused(
    broker: SecureBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start: it goes on asking, since who may come in is changed at the broker, too."""
    for name, (address, sentence) in refused(broker, tmp_path).items():
        monkeypatch.setattr(preflight, "log_refusal", RefusalLog())
        with capture_logs() as logs, pytest.raises(KafkaException):
            check_topics(address, GATEWAY, DEFAULT_PARTITIONS)
        reasons = [it["reason"] for it in logs if it["event"] == KAFKA_REFUSES]
        assert len(reasons) == 1, name
        assert sentence in reasons[0], name


def said(logs: Sequence[Mapping[str, Any]]) -> bool:
    return any(it["event"] == KAFKA_REFUSES for it in logs)


async def test_a_running_service_says_that_its_login_expired(
    broker: SecureBroker, oauth: OAuthServer
) -> None:
    """Tokens end; where the OAuth server gives no further one, the log says so."""
    address, oauth.lifetime = broker.by_login(Mechanism.OAUTHBEARER), 5.0
    with capture_logs() as logs:
        async with Publisher(address, "expiring", on_error=log_refusal):
            await asyncio.to_thread(until, lambda: oauth.given > 0, of="a token")
            secret, oauth.client_secret = oauth.client_secret, "another one"
            try:
                await asyncio.to_thread(until, lambda: said(logs), seconds=60, of="the reason")
            finally:
                oauth.client_secret = secret
