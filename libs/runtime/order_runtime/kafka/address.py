"""Where Kafka is, and how its clients prove who they are: the same for all libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final


class Security(StrEnum):
    """How a connection is protected: not at all, by TLS, or by TLS with SASL inside."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_SSL = "SASL_SSL"


class Mechanism(StrEnum):
    """How a client authenticates itself within TLS."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


@dataclass(frozen=True, slots=True)
class Login:
    """What a client authenticates itself with; what its mechanism doesn't need is empty."""

    mechanism: Mechanism
    username: str = ""
    password: str = field(default="", repr=False)
    token_url: str = ""
    """The token endpoint of an OAuth server, where the client's credentials are exchanged."""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Kafka's bootstrap servers, and what a client needs to be let in."""

    servers: str
    """host:port, comma-separated."""
    security: Security = Security.PLAINTEXT
    login: Login | None = None
    """With SASL_SSL."""
    ca_file: Path | None = None
    """Certificates of those who sign the brokers' (PEM); those of the system where it is None."""
    cert_file: Path | None = None
    """The client's own certificate (PEM), and its key."""
    key_file: Path | None = None

    def __str__(self) -> str:
        return self.servers


_SASL: Final = {
    "sasl.username": "username",
    "sasl.password": "password",
    "sasl.oauthbearer.client.id": "client_id",
    "sasl.oauthbearer.client.secret": "client_secret",
    "sasl.oauthbearer.token.endpoint.url": "token_url",
}


def librdkafka_config(address: KafkaAddress) -> dict[str, Any]:
    """Return the part of a configuration of confluent-kafka that says where Kafka is."""
    config: dict[str, Any] = {
        "bootstrap.servers": address.servers,
        "security.protocol": str(address.security),
    }
    files = {
        "ssl.ca.location": address.ca_file,
        "ssl.certificate.location": address.cert_file,
        "ssl.key.location": address.key_file,
    }
    config |= {name: str(path) for name, path in files.items() if path is not None}
    if address.login is None:
        return config
    given = {name: getattr(address.login, field) for name, field in _SASL.items()}
    config |= {name: value for name, value in given.items() if value}
    config["sasl.mechanism"] = str(address.login.mechanism)
    if address.login.mechanism is Mechanism.OAUTHBEARER:
        config["sasl.oauthbearer.method"] = "oidc"
    return config
