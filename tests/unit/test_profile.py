"""A profile names a system and lets a client in; what is wrong with one is said without values."""

from __future__ import annotations

from pathlib import Path

import pytest

from order_operations.connections.profile import read_profile
from order_operations.connections.system_address import MongoAddress
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress, Login, Mechanism, Security
from order_stack.cli.system_options import options_of
from order_stack.problems import StackProblem

SECRET = "s3cret"
LOGIN = f"""\
# the operator's
ORDERMILL_KAFKA=k:1,k:2
ORDERMILL_KAFKA_SECURITY=SASL_SSL
ORDERMILL_KAFKA_MECHANISM=SCRAM-SHA-512
ORDERMILL_KAFKA_USERNAME=operator
ORDERMILL_KAFKA_PASSWORD={SECRET}
ORDERMILL_MONGO=mongodb://operator:{SECRET}@m:1/?replicaSet=rs0
ORDERMILL_DATABASE=shop
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "operator.env"
    file.write_text(LOGIN)
    return file


def test_a_profile_says_where_kafka_and_mongodb_are_and_who_one_is(file: Path) -> None:
    profile = read_profile(file)
    login = Login(Mechanism.SCRAM_SHA_512, username="operator", password=SECRET)
    assert profile.kafka_address() == KafkaAddress("k:1,k:2", Security.SASL_SSL, login)
    uri = f"mongodb://operator:{SECRET}@m:1/?replicaSet=rs0"
    assert profile.mongo_address() == MongoAddress(uri, "shop")
    assert SECRET not in repr(profile)


def test_the_environment_adds_nothing_to_a_profile(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERMILL_KAFKA_USERNAME", "somebody")
    monkeypatch.setenv("ORDERMILL_KAFKA_CERT_FILE", "/no/such/file")
    login = read_profile(file).kafka_address().login
    assert login is not None
    assert login.username == "operator"


def test_a_secret_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret, file = tmp_path / "uri", tmp_path / "profile"
    secret.write_text("mongodb://m:1/\n")
    file.write_text(f"ORDERMILL_MONGO_FILE={secret}\n")
    assert read_profile(file).mongo_address() == MongoAddress("mongodb://m:1/", "ordermill")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"ORDERMILL_KAFKA_PASWORD={SECRET}", "ORDERMILL_KAFKA_PASWORD is not a setting"),
        ("ORDERMILL_KAFKA_SECURITY=SASL_SSL", "ORDERMILL_KAFKA_MECHANISM"),
        ("ORDERMILL_MONGO_FILE=/no/such/file", "can't be read"),
        (f"ORDERMILL_KAFKA_SECURITY={SECRET}", "ORDERMILL_KAFKA_SECURITY"),
    ],
)
def test_what_is_wrong_is_a_sentence_without_values(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "profile"
    file.write_text(f"{text}\n")
    with pytest.raises(OperationFailed, match=sentence) as raised:
        read_profile(file)
    assert SECRET not in str(raised.value)


def test_a_profile_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match="can't be read"):
        read_profile(tmp_path / "none")


def test_half_a_profile_is_not_completed_by_a_stack(tmp_path: Path) -> None:
    file = tmp_path / "profile"
    file.write_text("ORDERMILL_KAFKA=k:1\n")
    options = options_of(None, None, None, None, file, {})
    assert options.kafka_address() == KafkaAddress("k:1")
    with pytest.raises(OperationFailed, match="ORDERMILL_MONGO"):
        options.mongo_address()


def test_options_count_more_than_a_profile_and_a_named_stack_more_than_the_environments(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"ORDERS_PROFILE": str(file)}
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path))
    assert options_of(None, "k:9", None, None, None, environ).kafka_address().servers == "k:9"
    assert options_of(None, None, None, "other", None, environ).mongo_address().database == "other"
    with pytest.raises(StackProblem, match="No stack 'mine' is up"):
        options_of("mine", None, None, None, None, environ).kafka_address()
