"""The webhooks file: which endpoint each action is sent to. Read whole, or refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from yarl import URL

from action_trigger.adapters.ssrf_guard import is_private
from action_trigger.domain.endpoint import Endpoint
from order_contracts.order import ActionName
from order_runtime.observability.secret_ages import note_secret

DEFAULT: Final = "default"
WEBHOOKS_FILE: Final = "webhooks file"  # which holds secrets
ENDPOINT_NAMES: Final = (DEFAULT, *map(str, ActionName))
"""The possible endpoints; each is named as its table in the file."""


class EndpointConfigError(ValueError):
    """One sentence that names the key that is wrong in the file, and no value."""


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
    """Every action is in exactly one of them."""
    allow_private_addresses: bool = False

    @property
    def longest_timeout(self) -> float:
        return max(route.endpoint.timeout_seconds for route in self.routes)


def read_config(path: Path) -> str:
    """Return the file's text; raises EndpointConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EndpointConfigError(
            f"The webhooks file can't be read ({type(error).__name__})."
        ) from None
    note_secret(WEBHOOKS_FILE, path)
    return text


def parse_endpoints(text: str) -> EndpointConfig:
    """
    Return the endpoints in TOML *text*; an action's table overrides keys of the default's.

    Raises EndpointConfigError, also for a private address that isn't allowed.
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
        _refuse_plaintext(routes)
    return EndpointConfig(routes, file.allow_private_addresses)


def _inherited(data: dict[str, Any]) -> dict[str, Any]:
    """Return *data* with the default's keys in each action's table that lacks them."""
    default, actions = data.get("default"), data.get("actions")
    if not isinstance(default, dict) or not isinstance(actions, dict):
        return data
    merged = {
        name: default | own if isinstance(own, dict) else own for name, own in actions.items()
    }
    return data | {"actions": merged}


def _refuse_private(routes: tuple[Route, ...]) -> None:
    """Refuse hosts that are addresses: they are never resolved, so no resolver checks them."""
    for route in routes:
        if is_private(URL(route.endpoint.url).host or ""):
            raise EndpointConfigError(
                f"In the webhooks file, the url for {', '.join(route.actions)} is a private"
                " address; set allow_private_addresses = true if that is meant."
            )


def _refuse_plaintext(routes: tuple[Route, ...]) -> None:
    """Refuse http to public hosts: a webhook holds an order, which is personal data."""
    for route in routes:
        if URL(route.endpoint.url).scheme != "https":
            raise EndpointConfigError(
                f"In the webhooks file, the url for {', '.join(route.actions)} is not https;"
                " http is allowed where allow_private_addresses = true."
            )
