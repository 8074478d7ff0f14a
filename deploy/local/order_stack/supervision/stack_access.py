"""Gives each workload of a secure stack its users, in Kafka and in MongoDB, and their rights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pymongo.database import Database
from pymongo.errors import OperationFailure

from order_operations.access import kafka_acls, mongo_roles
from order_operations.access.plan import (
    kafka_holdings,
    mongo_holdings,
    principals_by_workload,
    role_of,
)
from order_operations.connections.kafka_client import SILENCE_SECONDS, admin_client
from order_operations.connections.mongo_client import open_database
from order_operations.connections.profile import read_profile
from order_operations.connections.system_address import MongoAddress
from order_operations.workloads.table import WORKLOADS
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.logins import login_file
from order_stack.cluster.parts import ADMIN, Stack
from order_stack.problems import StackProblem

USER_NOT_FOUND = 11
AUTHENTICATION_FAILED = 18
ITERATIONS = 4096  # the least that Kafka takes; passwords are random


def give_access(stack: Stack, without_login: str) -> None:
    """
    Make users, rights and roles what the profiles and the table of workloads say.

    *without_login* is the URI by which the first user of a new MongoDB is made.
    """
    kafka, mongo = stack.kafka_address(ADMIN), stack.mongo_address(ADMIN)
    _make_kafka_users(kafka, _kafka_passwords(Path(stack.data)))
    kafka_acls.apply(kafka, kafka_holdings(principals_by_workload()))
    _make_mongo_admin(MongoAddress(without_login, "admin"), mongo.uri)
    mongo_roles.apply(mongo, mongo_holdings())
    with open_database(mongo) as database:
        for workload in WORKLOADS:
            if workload.mongo:
                password = _password(stack.mongo_address(workload.name).uri)
                _make_mongo_user(database, workload.name, password, role_of(workload))


def _kafka_passwords(data: Path) -> Mapping[str, str]:
    profiles = {it.name: read_profile(login_file(data, it.name)) for it in WORKLOADS}
    return {it.kafka_username: it.kafka_password for it in profiles.values()}


def _make_kafka_users(kafka: KafkaAddress, passwords: Mapping[str, str]) -> None:
    """Set the passwords; those that are set already are set again."""
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    changes = [
        UserScramCredentialUpsertion(user, how, password.encode())
        for user, password in passwords.items()
    ]
    client = admin_client(kafka)
    answers = client.alter_user_scram_credentials(changes, request_timeout=SILENCE_SECONDS)
    try:
        for answer in answers.values():
            answer.result()
    except KafkaException as error:
        raise StackProblem(f"Kafka takes no users: {error.args[0].str()}.") from error


def _make_mongo_admin(without_login: MongoAddress, admin_uri: str) -> None:
    """Make the first user, as a client on the same machine may while there is none."""
    if _is_let_in(MongoAddress(admin_uri, "admin")):
        return
    with open_database(without_login) as database:
        database.command({"createUser": ADMIN, "pwd": _password(admin_uri), "roles": ["root"]})


def _is_let_in(address: MongoAddress) -> bool:
    with open_database(address) as database:
        try:
            database.command("ping")
        except OperationFailure as error:
            if error.code != AUTHENTICATION_FAILED:
                raise
            return False
        return True


def _make_mongo_user(
    database: Database[dict[str, Any]], user: str, password: str, role: str
) -> None:
    try:
        database.command({"updateUser": user, "pwd": password, "roles": [role]})
    except OperationFailure as error:
        if error.code != USER_NOT_FOUND:
            raise
        database.command({"createUser": user, "pwd": password, "roles": [role]})


def _password(uri: str) -> str:
    return unquote(urlsplit(uri).password or "")
