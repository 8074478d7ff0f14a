"""The four services and the receiver as parts: how each is started, and where it answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from order_stack.identity import SERVICES, Identity, keys_file
from order_stack.parts import Part, Probe
from order_stack.state import write_privately

DATABASE = "ordermill"


@dataclass(frozen=True, slots=True)
class Backends:
    """The addresses that the services are given."""

    kafka: str
    mongo: str


def gateway_url(identity: Identity) -> str:
    return f"http://127.0.0.1:{identity.ports['http']}"


def receiver_url(identity: Identity) -> str:
    return f"http://127.0.0.1:{identity.ports['receiver']}"


def services(identity: Identity, backends: Backends, data: Path, logs: Path) -> tuple[Part, ...]:
    return tuple(_service(name, identity, backends, data, logs) for name in SERVICES)


def _service(name: str, identity: Identity, backends: Backends, data: Path, logs: Path) -> Part:
    health = f"http://127.0.0.1:{identity.ports[name]}"
    common = {
        "PYTHONUNBUFFERED": "1",
        "ORDERMILL_KAFKA": backends.kafka,
        "ORDERMILL_MONGO": backends.mongo,
        "ORDERMILL_DATABASE": DATABASE,
        "ORDERMILL_INSTANCE": name,
        "ORDERMILL_HEALTH_PORT": str(identity.ports[name]),
    }
    return Part(
        name=name,
        kind="service",
        # -P: the working directory must not shadow an installed package.
        argv=(sys.executable, "-P", "-m", name.replace("-", "_")),
        env={**common, **_own(name, identity, data)},
        log=str(logs / f"{name}.log"),
        live=Probe("http", f"{health}/livez"),
        ready=Probe("http", f"{health}/readyz"),
        url=health,
    )


def _own(name: str, identity: Identity, data: Path) -> Mapping[str, str]:
    match name:
        case "gateway":
            return {
                "ORDERMILL_HOST": "127.0.0.1",
                "ORDERMILL_PORT": str(identity.ports["http"]),
                "ORDERMILL_PUBLIC_URL": gateway_url(identity),
                "ORDERMILL_KEYS_FILE": str(keys_file(data)),
                "ORDERMILL_JOB_SECRETS": identity.job_secret,
            }
        case "order-writer":
            return {"ORDERMILL_JOB_SECRETS": identity.job_secret}
        case "action-trigger":
            return {"ORDERMILL_WEBHOOKS_FILE": str(_webhooks_file(data))}
        case _:
            return {}


def _webhooks_file(data: Path) -> Path:
    return data / "webhooks.toml"


def write_webhooks(identity: Identity, data: Path) -> None:
    """Point every action at the receiver; the file of a reused directory is left as edited."""
    if _webhooks_file(data).exists():
        return
    write_privately(
        _webhooks_file(data),
        (
            "allow_private_addresses = true\n\n[default]\n"
            f'url = "{receiver_url(identity)}/hook"\n'
            f'secrets = ["{identity.webhook_secret}"]\n'
        ).encode(),
    )


def receiver(identity: Identity, logs: Path) -> Part:
    address = receiver_url(identity)
    probe = Probe("http", f"{address}/livez")
    port = str(identity.ports["receiver"])
    return Part(
        name="receiver",
        kind="receiver",
        argv=(sys.executable, "-P", "-m", "order_stack.receiver", "--port", port),
        # Not an argument: those are visible to everybody on the machine.
        env={"PYTHONUNBUFFERED": "1", "RECEIVER_SECRET": identity.webhook_secret},
        log=str(logs / "receiver.log"),
        live=probe,
        ready=probe,
        url=address,
    )
