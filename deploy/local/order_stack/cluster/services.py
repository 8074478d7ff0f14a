"""The four services and the webhook receiver as parts: command line, settings and addresses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from order_contracts import topics
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.stack_identity import StackIdentity, keys_file
from order_stack.cluster.state import write_privately
from order_stack.cluster.topology import numbered

DATABASE = "ordermill"


@dataclass(frozen=True, slots=True)
class Backends:
    """The addresses that the services are given."""

    kafka: str
    mongo: str
    inherited: tuple[str, ...] = ()
    """Settings that services take from the caller's environment: see `backend_login`."""


def gateway_urls(identity: StackIdentity) -> tuple[str, ...]:
    names = numbered("http", identity.topology.gateways)
    return tuple(f"http://127.0.0.1:{identity.ports[name]}" for name in names)


def receiver_url(identity: StackIdentity) -> str:
    return f"http://127.0.0.1:{identity.ports['receiver']}"


def services(
    identity: StackIdentity, backends: Backends, data: Path, logs: Path
) -> tuple[Part, ...]:
    common = {
        "PYTHONUNBUFFERED": "1",
        "ORDERMILL_KAFKA": backends.kafka,
        "ORDERMILL_MONGO": backends.mongo,
        "ORDERMILL_DATABASE": DATABASE,
    }
    read = {"ORDERMILL_PARTITIONS": str(identity.topology.partitions)}
    return tuple(
        _part(
            service,
            name,
            identity.ports[name],
            {**common, **({} if service == topics.GATEWAY else read), **own},
            logs,
            backends.inherited,
        )
        for service, count in identity.topology.services.items()
        for name, own in zip(numbered(service, count), _own(service, identity, data), strict=True)
    )


def _part(
    service: str,
    name: str,
    port: int,
    env: Mapping[str, str],
    logs: Path,
    inherits: tuple[str, ...],
) -> Part:
    health = f"http://127.0.0.1:{port}"
    return Part(
        name=name,
        kind="service",
        # -P: the working directory must not shadow an installed package.
        argv=(sys.executable, "-P", "-m", service.replace("-", "_")),
        env={**env, "ORDERMILL_INSTANCE": name, "ORDERMILL_HEALTH_PORT": str(port)},
        log=str(logs / f"{name}.log"),
        live=Probe("http", f"{health}/livez"),
        ready=Probe("http", f"{health}/readyz"),
        url=health,
        inherits=inherits,
    )


def _own(service: str, identity: StackIdentity, data: Path) -> tuple[Mapping[str, str], ...]:
    """Return the settings that only this service has, for each of its processes."""
    match service:
        case topics.GATEWAY:
            return tuple(
                {
                    "ORDERMILL_HOST": "127.0.0.1",
                    "ORDERMILL_PORT": str(urlsplit(url).port),
                    "ORDERMILL_PUBLIC_URL": gateway_urls(identity)[0],
                    "ORDERMILL_KEYS_FILE": str(keys_file(data)),
                    "ORDERMILL_JOB_SECRETS": identity.job_secret,
                    "ORDERMILL_ERASURE_SECRET": identity.erasure_secret,
                }
                for url in gateway_urls(identity)
            )
        case topics.WRITER:
            settings = {"ORDERMILL_JOB_SECRETS": identity.job_secret}
        case topics.TRIGGER:
            settings = {
                "ORDERMILL_WEBHOOKS_FILE": str(_webhooks_file(data)),
                "ORDERMILL_ERASURE_SECRET": identity.erasure_secret,
            }
        case _:
            settings = {"ORDERMILL_ERASURE_SECRET": identity.erasure_secret}
    return (settings,) * identity.topology.services[service]


def _webhooks_file(data: Path) -> Path:
    return data / "webhooks.toml"


def write_webhooks(identity: StackIdentity, data: Path) -> None:
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


def receiver(identity: StackIdentity, logs: Path) -> Part:
    address = receiver_url(identity)
    probe = Probe("http", f"{address}/livez")
    port = str(identity.ports["receiver"])
    return Part(
        name="receiver",
        kind="receiver",
        argv=(sys.executable, "-P", "-m", "order_stack.cluster.webhook_receiver", "--port", port),
        # Not an argument, since everybody on the machine can see those.
        env={"PYTHONUNBUFFERED": "1", "RECEIVER_SECRET": identity.webhook_secret},
        log=str(logs / "receiver.log"),
        live=probe,
        ready=probe,
        url=address,
    )
