"""An endpoint as it is configured: its URL, secrets, headers and limits, validated."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError
from yarl import URL

RESERVED_HEADERS: Final = frozenset(
    {"content-type", "content-length", "host", "transfer-encoding", "connection", "accept-encoding"}
)


def _url(text: str) -> str:
    try:
        url = URL(text)
        (url.raw_host or "").encode("idna")  # as the resolver will
    except ValueError:
        raise PydanticCustomError("url", "must be an http or https URL") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise PydanticCustomError("url", "must be an http or https URL")
    if url.user or url.password:
        raise PydanticCustomError("url", "must not hold a password; use a header")
    return text


def _header_value(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isprintable():
        raise PydanticCustomError("value", "must not hold control characters")
    return value


def _secret(secret: SecretStr) -> SecretStr:
    prefix, _, key = secret.get_secret_value().partition("_")
    try:
        size = len(base64.b64decode(key + "=" * (-len(key) % 4), validate=True))
    except binascii.Error:
        size = 0
    if prefix != "whsec" or not 24 <= size <= 64:
        raise PydanticCustomError("secret", "must be whsec_ and 24 to 64 bytes in base64")
    return secret


def _header_name(name: str) -> str:
    if name.lower() in RESERVED_HEADERS or name.lower().startswith("webhook-"):
        raise PydanticCustomError("header", "is set by us")
    return name


HeaderValue = Annotated[SecretStr, Field(max_length=4_096), AfterValidator(_header_value)]
HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"), AfterValidator(_header_name)
]


class Endpoint(BaseModel):
    """Where webhooks are sent, how they are signed, and how long a response may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(_url)]
    secrets: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_secret)], ...], Field(min_length=1, max_length=5)
    ] = Field(repr=False)
    """All of them sign."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 15
    rate: Annotated[float, Field(ge=0.01, le=100_000)] | None = None
    """Webhooks a second from each worker; None is unlimited."""
    headers: Mapping[HeaderName, HeaderValue] = Field(default={}, repr=False)
    """Sent with every webhook; a value may be a credential."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(secret.get_secret_value() for secret in self.secrets)

    @property
    def own_headers(self) -> Mapping[str, str]:
        return {name: value.get_secret_value() for name, value in self.headers.items()}
