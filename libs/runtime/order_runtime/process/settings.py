"""Settings of a service: from the environment, frozen, checked at start."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from order_contracts.topics import DEFAULT_PARTITIONS, MAX_PARTITIONS
from order_runtime.kafka.address import KafkaAddress
from order_runtime.mongo.uri_check import uri_fault
from order_runtime.process.connection_settings import (
    PREFIX,
    ConnectionSettings,
    settings_sentences,
)
from order_runtime.process.errors import BAD_SETTINGS_STATUS
from order_runtime.process.secret_files import SecretFileError, secret_variables


class Traces(StrEnum):
    """Where spans are sent, and how."""

    OFF = "off"
    OTLP = "otlp"
    ZIPKIN = "zipkin"


class ServiceSettings(ConnectionSettings):
    """
    What all services need. Every field is read from `ORDERMILL_<NAME>`.

    A secret is a field with `repr=False`: it is never printed, and may be given as a file, by
    `ORDERMILL_<NAME>_FILE`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    kafka: str
    """Bootstrap servers, host:port, comma-separated."""
    mongo: str = Field(repr=False)
    """MongoDB URI; may hold a password, so it is never printed."""
    database: str = "ordermill"
    instance: str
    """Name of this process, unique within its service and kept over restarts."""
    health_host: str = "127.0.0.1"
    health_port: int = Field(ge=1, le=65535)
    """Where /livez, /readyz and /metrics answer."""
    metrics_token: str = Field(default="", repr=False)
    """The bearer token that /metrics asks for; from a file it is read again when it changes."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    traces: Traces = Traces.OFF
    """off; otlp: to an OpenTelemetry collector, by HTTP; or zipkin: to Zipkin, as its JSON."""
    traces_url: str = ""
    """The whole URL that takes spans, such as http://collector:4318/v1/traces."""
    traces_sample: float = Field(default=0.01, ge=0, le=1)
    """Which part of the traces that begin in the service is recorded."""

    @property
    def kafka_address(self) -> KafkaAddress:
        """Where Kafka is, and what this service authenticates itself with."""
        return self.address(self.kafka)

    @property
    def mongo_uri(self) -> str:
        """MongoDB's URI, with the certificates that this service needs."""
        return self.mongo_with_tls(self.mongo)

    @field_validator("traces_url")
    @classmethod
    def _check_traces_url(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (url.scheme not in {"http", "https"} or not url.hostname):
            raise ValueError("must be a URL that begins with http:// or https://")
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("must hold no login, query or fragment")
        return value

    @model_validator(mode="after")
    def _check_traces(self) -> Self:
        if self.traces is not Traces.OFF and not self.traces_url:
            raise ValueError(f"{PREFIX}TRACES is {self.traces}: it needs {PREFIX}TRACES_URL")
        return self

    @field_validator("mongo")
    @classmethod
    def _check_mongo(cls, value: str) -> str:
        if fault := uri_fault(value):
            raise ValueError(fault)
        return value


class ConsumerSettings(ServiceSettings):
    """What every service needs that reads from Kafka."""

    partitions: int = Field(default=DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)
    """Of each topic; checked at the start."""


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S]) -> S:
    """Return the settings, or leave the process with a sentence for each that is wrong."""
    known = {f"{PREFIX}{name.upper()}" for name in settings.model_fields}
    known |= {f"{variable}_FILE" for variable in secret_variables(settings).values()}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        refuse([f"{name} is not a setting of this service." for name in unknown])
    try:
        return settings()  # the environment fills it
    except SecretFileError as error:
        refuse(list(error.args))
    except ValidationError as error:
        refuse(settings_sentences(error))


def refuse(sentences: list[str]) -> NoReturn:
    """Leave the process with exit status 2; what is wrong goes to standard error."""
    sys.stderr.write("".join(f"{sentence}\n" for sentence in sentences))
    raise SystemExit(BAD_SETTINGS_STATUS)


def secret_list(text: str) -> list[bytes]:
    """Return comma-separated secrets, the newest first."""
    return [part.strip().encode() for part in text.split(",") if part.strip()]
