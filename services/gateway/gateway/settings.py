"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gateway.http.connection_limits import networks
from order_runtime.process.loopback import is_loopback
from order_runtime.process.settings import ServiceSettings, secret_list

MIN_SECRET: Final = 32  # characters
MIB: Final = 1024 * 1024


class Settings(ServiceSettings):
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    public_url: str
    """The base of all links, since the Host header is not trusted; https, or http for loopback."""
    keys_file: Path
    """The file of hashed API keys; it is read again when it changes."""
    tls_cert_file: Path | None = None
    """The certificate with its chain, in PEM: the API is then HTTPS; read again when it changes."""
    tls_key_file: Path | None = None
    """The certificate's key, in PEM and without a password; likewise."""
    job_secrets: str = Field(repr=False)
    """Secrets that sign job ids, comma-separated, the newest first; the same in all gateways."""
    max_connections: int = Field(default=500, ge=10)
    """Of clients; one more takes the place of the one that has waited longest for a request."""
    trusted_proxies: str = ""
    """Addresses and networks, comma-separated, whose connections are not closed to make room."""
    body_bytes: int = Field(default=32 * MIB, ge=8 * MIB)
    """Bytes of single commands in memory at once, and as many of bulks and checks."""
    page_bytes: int = Field(default=96 * MIB, ge=16 * MIB)
    """Bytes of orders in memory at once that are read and answered."""
    erasure_secret: str = Field(default="", repr=False)
    """The enricher's, by which a merged contact is known that is gone; may be left out."""

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname)):
            raise ValueError("must begin with https:// (http:// only for a loopback address)")
        if not url.hostname or url.query or url.fragment:
            raise ValueError("must name a host, and neither query nor fragment")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("ORDERMILL_TLS_CERT_FILE and ORDERMILL_TLS_KEY_FILE go together")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: str) -> str:
        try:
            networks(value)
        except ValueError:
            raise ValueError("must be addresses or networks, as in 10.0.0.0/8,fd00::1") from None
        return value

    @field_validator("job_secrets")
    @classmethod
    def _check_job_secrets(cls, value: str) -> str:
        secrets = secret_list(value)
        if not secrets or any(len(secret) < MIN_SECRET for secret in secrets):
            raise ValueError("must hold at least one secret, each of at least 32 characters")
        return value
