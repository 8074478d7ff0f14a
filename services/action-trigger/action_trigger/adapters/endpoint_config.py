"""Where each action goes: one validated TOML file."""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from yarl import URL

from action_trigger.adapters.ssrf_guard import is_private
from order_contracts.order import ActionName

DEFAULT: Final = "default"
ENDPOINT_NAMES: Final = (DEFAULT, *map(str, ActionName))
"""An endpoint is named after its table in the file."""
RESERVED_HEADERS: Final = frozenset(
    {"content-type", "content-length", "host", "transfer-encoding", "connection", "accept-encoding"}
)


class EndpointConfigError(ValueError):
    """One sentence that names what is wrong in the file, and never repeats a value."""


def _url(text: str) -> str:
    try:
        url = URL(text)
        (url.raw_host or "").encode("idna")  # as whoever resolves it does
    except ValueError:
        raise PydanticCustomError("url", "must be an http or https URL") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise PydanticCustomError("url", "must be an http or https URL")
    if url.user or url.password:
        raise PydanticCustomError("url", "must not hold a password; use a header")
    return text


def _value(value: SecretStr) -> SecretStr:
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


def _header(name: str) -> str:
    if name.lower() in RESERVED_HEADERS or name.lower().startswith("webhook-"):
        raise PydanticCustomError("header", "is set by us")
    return name


HeaderValue = Annotated[SecretStr, Field(max_length=4_096), AfterValidator(_value)]
HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"), AfterValidator(_header)
]


class Endpoint(BaseModel):
    """Where webhooks are sent, how they are signed, and how long an answer may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(_url)]
    secrets: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_secret)], ...], Field(min_length=1, max_length=5)
    ] = Field(repr=False)
    """All of them sign."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 15
    rate: Annotated[float, Field(ge=0.01, le=100_000)] | None = None
    """Webhooks a second from each worker; unbounded where it isn't given."""
    headers: Mapping[HeaderName, HeaderValue] = Field(default={}, repr=False)
    """Sent with every webhook; may hold a credential."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(secret.get_secret_value() for secret in self.secrets)

    @property
    def own_headers(self) -> Mapping[str, str]:
        return {name: value.get_secret_value() for name, value in self.headers.items()}


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_private_addresses: bool = False
    default: Endpoint
    actions: Mapping[ActionName, Endpoint] = {}


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, and the actions that go there."""

    name: str
    endpoint: Endpoint
    actions: tuple[ActionName, ...]


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    routes: tuple[Route, ...]
    """Every action is in one of them."""
    allow_private_addresses: bool = False

    @property
    def longest_timeout(self) -> float:
        return max(route.endpoint.timeout_seconds for route in self.routes)


def read_config(path: Path) -> str:
    """Return the file's text; raises BadEndpoints."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EndpointConfigError(
            f"The webhooks file can't be read ({type(error).__name__})."
        ) from None


def parse_endpoints(text: str) -> EndpointConfig:
    """
    Return what the TOML in *text* says: an action's table overrides the default's values.

    Raises BadEndpoints.
    """
    try:
        file = _File.model_validate(_inherited(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise EndpointConfigError(f"The webhooks file is not TOML: {error}.") from None
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in wrong["loc"] if part != "[key]")
        raise EndpointConfigError(f"In the webhooks file, {key}: {wrong['msg']}.") from None
    rest = tuple(action for action in ActionName if action not in file.actions)
    own = tuple(Route(action, endpoint, (action,)) for action, endpoint in file.actions.items())
    routes = (*own, Route(DEFAULT, file.default, rest)) if rest else own
    if not file.allow_private_addresses:
        _refuse_private(routes)
    return EndpointConfig(routes, file.allow_private_addresses)


def _inherited(data: dict[str, Any]) -> dict[str, Any]:
    default, actions = data.get("default"), data.get("actions")
    if not isinstance(default, dict) or not isinstance(actions, dict):
        return data
    merged = {
        name: default | own if isinstance(own, dict) else own for name, own in actions.items()
    }
    return data | {"actions": merged}


def _refuse_private(routes: tuple[Route, ...]) -> None:
    """A host that is an address is never resolved, so it is judged here."""
    for route in routes:
        if is_private(URL(route.endpoint.url).host or ""):
            raise EndpointConfigError(
                f"In the webhooks file, the url for {', '.join(route.actions)} is a private"
                " address; set allow_private_addresses = true if that is meant."
            )
