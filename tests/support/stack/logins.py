"""Second users of a workload in Kafka and MongoDB, as an operator makes them to change a login."""

from __future__ import annotations

from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pymongo import MongoClient

from order_operations.connections.kafka_client import admin_client
from order_operations.connections.system_address import DEFAULT_DATABASE
from support.stack.running_stack import RunningStack

SECONDS = 30.0


def add_kafka_user(stack: RunningStack, workload: str, user: str, password: str) -> None:
    """Make *user*, and give it the rights of *workload* beside the one that has them."""
    _set_password(stack, user, password)
    principals = [
        arg for it in (workload, user) for arg in ("--principal", f"{workload}=User:{it}")
    ]
    stack.orders("access", "apply", "--only", "kafka", *principals)


def retire_kafka_user(stack: RunningStack, user: str) -> None:
    """
    Give a user a password that nobody knows.

    It isn't deleted: Kafka 4.3 may lose all SCRAM users when a broker that is started again reads
    a deletion before the others (ScramDelta.apply drops the map that it goes on to fill).
    """
    _set_password(stack, user, token_hex(32))


def _set_password(stack: RunningStack, user: str, password: str) -> None:
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(user, how, password.encode())
    client = admin_client(stack.kafka)  # referenced until the result is here
    [answer] = client.alter_user_scram_credentials([change]).values()
    answer.result(SECONDS)


def add_mongo_user(stack: RunningStack, workload: str, user: str, password: str) -> None:
    command = {"createUser": user, "pwd": password, "roles": [f"ordermill-{workload}"]}
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        client[DEFAULT_DATABASE].command(command)


def drop_mongo_user(stack: RunningStack, user: str) -> None:
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        client[DEFAULT_DATABASE].command({"dropUser": user})


def change_profile(stack: RunningStack, workload: str, user: str, password: str) -> None:
    """Give the profile of *workload* another user, the same in Kafka and MongoDB."""
    file = stack.profile_file(workload)
    old = stack.profile(workload)
    before = urlsplit(old.mongo)
    login = f"{before.username}:{before.password}@"
    text = file.read_text().replace(login, f"{user}:{password}@")
    text = text.replace(f"USERNAME={old.kafka_username}\n", f"USERNAME={user}\n")
    file.write_text(text.replace(f"PASSWORD={old.kafka_password}\n", f"PASSWORD={password}\n"))
