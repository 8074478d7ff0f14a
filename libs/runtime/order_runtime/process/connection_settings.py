"""How Kafka and MongoDB let a client in: the same settings for all services and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from order_runtime.kafka.address import KafkaAddress, Login, Mechanism, Security
from order_runtime.process.loopback import is_loopback
from order_runtime.process.pem_files import authorities_fault, certificate_fault
from order_runtime.process.secret_files import SecretFileSource

PREFIX: Final = "ORDERMILL_"
_KAFKA: Final = f"{PREFIX}KAFKA_"
SLASHES: Final = 2  # of a URI without a database: behind its scheme
_OAUTH: Final = ("token_url", "client_id", "client_secret")


class ConnectionSettings(BaseSettings):
    """How clients protect their connections and authenticate themselves."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    kafka_security: Security = Security.PLAINTEXT
    """PLAINTEXT; SSL: TLS, with a certificate where one is given; or SASL_SSL: a login in TLS."""
    kafka_mechanism: Mechanism | None = None
    """With SASL_SSL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."""
    kafka_username: str = ""
    kafka_password: str = Field(default="", repr=False)
    kafka_ca_file: Path | None = None
    """Who signs the brokers' certificates, as PEM; left out: whom the system trusts."""
    kafka_cert_file: Path | None = None
    """The client's certificate, as PEM, where brokers ask for one."""
    kafka_key_file: Path | None = None
    """The key of that certificate, as PEM."""
    kafka_token_url: str = ""
    """With OAUTHBEARER: where the client's id and secret are exchanged for a token."""
    kafka_client_id: str = ""
    kafka_client_secret: str = Field(default="", repr=False)
    mongo_ca_file: Path | None = None
    """Who signs MongoDB's certificates, as PEM; its connections are then of TLS."""
    mongo_cert_file: Path | None = None
    """The client's certificate with its key, as PEM, where MongoDB asks for one."""

    def address(self, servers: str) -> KafkaAddress:
        """Return *servers* (host:port, comma-separated) with what a client needs to be let in."""
        return KafkaAddress(
            servers,
            self.kafka_security,
            self._login(),
            ca_file=self.kafka_ca_file,
            cert_file=self.kafka_cert_file,
            key_file=self.kafka_key_file,
        )

    def mongo_with_tls(self, uri: str) -> str:
        """Return the URI of MongoDB with what a client needs for TLS."""
        files = {"tlsCAFile": self.mongo_ca_file, "tlsCertificateKeyFile": self.mongo_cert_file}
        given = {name: str(path) for name, path in files.items() if path is not None}
        if not given:
            return uri
        separator = "&" if "?" in uri else "?" if uri.count("/") > SLASHES else "/?"
        return f"{uri}{separator}{urlencode({'tls': 'true', **given})}"

    def _login(self) -> Login | None:
        if self.kafka_mechanism is None:
            return None
        return Login(
            self.kafka_mechanism,
            username=self.kafka_username,
            password=self.kafka_password,
            token_url=self.kafka_token_url,
            client_id=self.kafka_client_id,
            client_secret=self.kafka_client_secret,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFileSource(settings_cls)

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        wrong = [*self._superfluous(), *self._missing(), *self._unusable()]
        if wrong:
            raise PydanticCustomError("connections", "{sentences}", {"sentences": " ".join(wrong)})
        return self

    @field_validator("kafka_token_url")
    @classmethod
    def _check_token_url(cls, value: str) -> str:
        url = urlsplit(value)
        if value and url.scheme != "https" and not is_loopback(url.hostname):
            raise ValueError("must begin with https:// (http:// only for a loopback address)")
        return value

    def _missing(self) -> list[str]:
        """Return a sentence for what the chosen protection needs and lacks."""
        if self.kafka_security is Security.SASL_SSL and self.kafka_mechanism is None:
            return [f"{_KAFKA}SECURITY is SASL_SSL: {_KAFKA}MECHANISM says how to authenticate."]
        if self.kafka_mechanism is None:
            return []
        is_oauth = self.kafka_mechanism is Mechanism.OAUTHBEARER
        needed = _OAUTH if is_oauth else ("username", "password")
        return [
            f"{_KAFKA}MECHANISM is {self.kafka_mechanism}: it needs {_KAFKA}{name.upper()}."
            for name in needed
            if not getattr(self, f"kafka_{name}")
        ]

    def _superfluous(self) -> list[str]:
        """Return a sentence for what would be ignored: a login in plain text, half a pair."""
        wrong = []
        if self.kafka_mechanism is not None and self.kafka_security is not Security.SASL_SSL:
            wrong.append(f"{_KAFKA}MECHANISM needs {_KAFKA}SECURITY=SASL_SSL.")
        files = (self.kafka_ca_file, self.kafka_cert_file, self.kafka_key_file)
        if self.kafka_security is Security.PLAINTEXT and any(files):
            wrong.append(f"Files of certificates are given, and {_KAFKA}SECURITY is PLAINTEXT.")
        if (self.kafka_cert_file is None) is not (self.kafka_key_file is None):
            wrong.append(f"{_KAFKA}CERT_FILE and {_KAFKA}KEY_FILE are given together.")
        return wrong

    def _unusable(self) -> list[str]:
        """Return a sentence for each file that a client library would stumble over."""
        ca_files = {"KAFKA_CA_FILE": self.kafka_ca_file, "MONGO_CA_FILE": self.mongo_ca_file}
        faults = {name: authorities_fault(path) for name, path in ca_files.items() if path}
        if self.kafka_cert_file and self.kafka_key_file:
            faults["KAFKA_CERT_FILE"] = certificate_fault(self.kafka_cert_file, self.kafka_key_file)
        if self.mongo_cert_file:
            faults["MONGO_CERT_FILE"] = certificate_fault(self.mongo_cert_file)
        return [f"{PREFIX}{name}: {fault}." for name, fault in faults.items() if fault]


def settings_sentences(error: ValidationError) -> list[str]:
    """Return a sentence for each setting that is wrong, without its value."""
    return [
        _sentence(detail["loc"], detail["msg"])
        for detail in error.errors(include_input=False, include_url=False)
    ]


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    """Say what is wrong with a setting; a rule for several names them itself."""
    reason = message.removeprefix("Value error, ").removesuffix(".")
    name = f"{PREFIX}{'_'.join(map(str, location)).upper()}: " if location else ""
    return f"{name}{reason}."
