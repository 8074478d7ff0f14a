"""How Kafka and MongoDB let a client in, as the environment says it, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from order_runtime.kafka.address import (
    KafkaAddress,
    Login,
    Mechanism,
    Security,
    librdkafka_config,
)
from order_runtime.process.connection_settings import ConnectionSettings, settings_sentences
from order_stack.cluster.backend_login import inherited_variables
from order_stack.cluster.certificates import Authority

SECRET = "a secret of Kafka's"
LOGIN = {"KAFKA_SECURITY": "SASL_SSL", "KAFKA_USERNAME": "shop", "KAFKA_PASSWORD": SECRET}
OAUTH = {
    "KAFKA_SECURITY": "SASL_SSL",
    "KAFKA_MECHANISM": "OAUTHBEARER",
    "KAFKA_TOKEN_URL": "https://login.example.com/token",
    "KAFKA_CLIENT_ID": "orders",
    "KAFKA_CLIENT_SECRET": SECRET,
}


@pytest.fixture
def pem(tmp_path: Path) -> str:
    return str(Authority(tmp_path).ca)


def settings(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> ConnectionSettings:
    for name, value in given.items():
        monkeypatch.setenv(f"ORDERMILL_{name}", value)
    return ConnectionSettings()


def test_plain_text_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    address = settings(monkeypatch, {}).address("k:1")
    assert address == KafkaAddress("k:1")
    assert librdkafka_config(address) == {
        "bootstrap.servers": "k:1",
        "security.protocol": "PLAINTEXT",
    }


def test_a_login_with_a_password(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    given = LOGIN | {"KAFKA_MECHANISM": "SCRAM-SHA-512", "KAFKA_CA_FILE": pem}
    address = settings(monkeypatch, given).address("k:1")
    assert address.security is Security.SASL_SSL
    assert address.login == Login(Mechanism.SCRAM_SHA_512, username="shop", password=SECRET)
    config = librdkafka_config(address)
    assert (config["sasl.username"], config["sasl.password"]) == ("shop", SECRET)
    assert config["ssl.ca.location"] == pem
    assert SECRET not in repr(address)


def test_a_login_by_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    config = librdkafka_config(settings(monkeypatch, OAUTH).address("k:1"))
    assert config["sasl.oauthbearer.method"] == "oidc"
    assert config["sasl.oauthbearer.token.endpoint.url"] == OAUTH["KAFKA_TOKEN_URL"]
    assert "sasl.password" not in config


def test_a_password_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    given = LOGIN | {"KAFKA_MECHANISM": "PLAIN", "KAFKA_PASSWORD_FILE": str(file)}
    del given["KAFKA_PASSWORD"]
    assert settings(monkeypatch, given).kafka_password == SECRET


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (LOGIN, "KAFKA_SECURITY is SASL_SSL: ORDERMILL_KAFKA_MECHANISM says how to authenticate."),
        (
            {"KAFKA_SECURITY": "SASL_SSL", "KAFKA_MECHANISM": "PLAIN", "KAFKA_USERNAME": "shop"},
            "KAFKA_MECHANISM is PLAIN: it needs ORDERMILL_KAFKA_PASSWORD.",
        ),
        (
            {"KAFKA_SECURITY": "SASL_SSL", "KAFKA_MECHANISM": "OAUTHBEARER"},
            "it needs ORDERMILL_KAFKA_TOKEN_URL.",
        ),
        (LOGIN | {"KAFKA_SECURITY": "SSL", "KAFKA_MECHANISM": "PLAIN"}, "SECURITY=SASL_SSL."),
        ({"KAFKA_CA_FILE": "/nowhere"}, "KAFKA_CA_FILE: there is no such file."),
        ({"KAFKA_CA_FILE": "/nowhere"}, "ORDERMILL_KAFKA_SECURITY is PLAINTEXT."),
        (
            {"KAFKA_SECURITY": "SSL", "KAFKA_CERT_FILE": __file__},
            "CERT_FILE and ORDERMILL_KAFKA_KEY_FILE are given together.",
        ),
        (
            OAUTH | {"KAFKA_TOKEN_URL": "http://login.example.com/token"},
            "ORDERMILL_KAFKA_TOKEN_URL: must begin with https://",
        ),
        ({"KAFKA_SECURITY": "TLS"}, "ORDERMILL_KAFKA_SECURITY: Input should be"),
        ({"MONGO_CERT_FILE": "/nowhere"}, "MONGO_CERT_FILE: there is no such file."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(monkeypatch, given)
    told = " ".join(settings_sentences(refused.value))
    assert sentence in told
    assert SECRET not in told


@pytest.mark.parametrize("name", ["KAFKA_CA_FILE", "MONGO_CA_FILE", "MONGO_CERT_FILE"])
def test_a_file_that_is_no_certificate_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """librdkafka's refusal would be taken for a Kafka that is away, and waited for."""
    with pytest.raises(ValidationError) as refused:
        settings(monkeypatch, {"KAFKA_SECURITY": "SSL", name: __file__})
    assert f"ORDERMILL_{name}: it " in settings_sentences(refused.value)[0]


def test_a_key_of_another_certificate_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    given = {"KAFKA_SECURITY": "SSL", "KAFKA_CERT_FILE": str(one.cert)}
    assert settings(monkeypatch, given | {"KAFKA_KEY_FILE": str(one.key)}).kafka_cert_file
    with pytest.raises(ValidationError) as refused:
        settings(monkeypatch, given | {"KAFKA_KEY_FILE": str(other.key)})
    assert "ORDERMILL_KAFKA_CERT_FILE: it is no cert" in settings_sentences(refused.value)[0]


@pytest.mark.parametrize(
    ("uri", "with_tls"),
    [
        ("mongodb://m:1", "mongodb://m:1/?"),
        ("mongodb://m:1,m:2/", "mongodb://m:1,m:2/?"),
        ("mongodb://m:1/?replicaSet=rs", "mongodb://m:1/?replicaSet=rs&"),
    ],
)
def test_certificates_of_mongodb_are_in_its_uri(
    monkeypatch: pytest.MonkeyPatch, pem: str, uri: str, with_tls: str
) -> None:
    found = settings(monkeypatch, {"MONGO_CA_FILE": pem}).mongo_with_tls(uri)
    assert found.startswith(f"{with_tls}tls=true&tlsCAFile=")
    assert settings(monkeypatch, {}).mongo_with_tls(uri) == found


def test_services_take_the_login_to_a_kafka_that_is_elsewhere_from_the_environment() -> None:
    kafka = inherited_variables(own_kafka=False, own_mongo=True)
    assert "ORDERMILL_KAFKA_PASSWORD" in kafka
    assert "ORDERMILL_KAFKA_PASSWORD_FILE" in kafka
    assert not any("MONGO" in it for it in kafka)
    assert inherited_variables(own_kafka=True, own_mongo=True) == ()
