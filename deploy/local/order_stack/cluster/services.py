"""The services, from the table of workloads, and the webhook receiver as parts of a stack."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from order_contracts import topics
from order_operations.connections.system_address import DEFAULT_DATABASE
from order_operations.workloads.processes import HEALTH, HTTP, SharedFile, SharedSecret
from order_operations.workloads.table import SERVICES
from order_runtime.process.connection_settings import PREFIX
from order_stack.cluster import zipkin
from order_stack.cluster.certificates import certificate_in
from order_stack.cluster.logins import certificates_folder, login_file
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.ports import ADDRESS
from order_stack.cluster.stack_identity import StackIdentity, keys_file
from order_stack.cluster.state import write_privately
from order_stack.cluster.topology import numbered


@dataclass(frozen=True, slots=True)
class Backends:
    """The addresses that the services are given."""

    kafka: str
    mongo: str
    inherited: tuple[str, ...] = ()
    """Settings that services take from the caller's environment: see `backend_login`."""
    zipkin: str | None = None
    """Where traces are sent, if anywhere."""


def gateway_urls(identity: StackIdentity) -> tuple[str, ...]:
    scheme = "https" if identity.topology.secure else "http"
    names = numbered(HTTP, identity.topology.gateways)
    return tuple(f"{scheme}://{ADDRESS}:{identity.ports[name]}" for name in names)


def receiver_url(identity: StackIdentity) -> str:
    return f"http://{ADDRESS}:{identity.ports['receiver']}"


def services(
    identity: StackIdentity, backends: Backends, data: Path, logs: Path
) -> tuple[Part, ...]:
    """Return the processes of all services; a secure stack's take addresses from login files."""
    secure = identity.topology.secure
    return tuple(
        Part(
            name=name,
            kind="service",
            # -P: the working directory must not shadow an installed package.
            argv=(sys.executable, "-P", "-m", SERVICES[service].module),
            env={
                "PYTHONUNBUFFERED": "1",
                **dict(_settings(service, at, identity, data)),
                **({} if secure else _addresses(backends)),
                **(zipkin.settings(backends.zipkin) if backends.zipkin else {}),
                f"{PREFIX}INSTANCE": name,
            },
            log=str(logs / f"{name}.log"),
            live=Probe("http", f"{_health(name, identity)}{SERVICES[service].live}"),
            ready=Probe("http", f"{_health(name, identity)}{SERVICES[service].ready}"),
            url=_health(name, identity),
            inherits=backends.inherited,
            login=str(login_file(data, service)) if secure else None,
        )
        for service, count in identity.topology.services.items()
        for at, name in enumerate(numbered(service, count))
    )


def _health(name: str, identity: StackIdentity) -> str:
    return f"http://{ADDRESS}:{identity.ports[name]}"


def _addresses(backends: Backends) -> Mapping[str, str]:
    return {
        f"{PREFIX}KAFKA": backends.kafka,
        f"{PREFIX}MONGO": backends.mongo,
        f"{PREFIX}DATABASE": DEFAULT_DATABASE,
    }


def _settings(
    service: str, at: int, identity: StackIdentity, data: Path
) -> Iterator[tuple[str, str]]:
    """Yield what the table of workloads gives to the process of *service* with that index."""
    process, secrets, files = SERVICES[service], _secrets(identity), _files(data)
    for port, setting in process.ports.items():
        yield f"{PREFIX}{setting}", str(_port(service, port, at, identity))
    for setting, secret in process.secrets.items():
        yield f"{PREFIX}{setting}", secrets[secret]
    for setting, file in process.files.items():
        yield f"{PREFIX}{setting}", str(files[file])
    if identity.topology.secure:
        for setting, file in process.tls_files.items():
            yield f"{PREFIX}{setting}", str(files[file])
    if process.partitioned:
        yield f"{PREFIX}PARTITIONS", str(identity.topology.partitions)
    if service == topics.GATEWAY:
        yield f"{PREFIX}PUBLIC_URL", gateway_urls(identity)[0]


def _port(service: str, port: str, at: int, identity: StackIdentity) -> int:
    """Return a process's port; that of its health is named after the service."""
    kind = service if port == HEALTH else port
    return identity.ports[numbered(kind, identity.topology.services[service])[at]]


def _secrets(identity: StackIdentity) -> Mapping[SharedSecret, str]:
    return {
        SharedSecret.JOB: identity.job_secret,
        SharedSecret.ERASURE: identity.erasure_secret,
    }


def _files(data: Path) -> Mapping[SharedFile, Path]:
    https = certificate_in(certificates_folder(data), topics.GATEWAY)
    return {
        SharedFile.API_KEYS: keys_file(data),
        SharedFile.WEBHOOKS: _webhooks_file(data),
        SharedFile.CERTIFICATE: https.cert,
        SharedFile.CERTIFICATE_KEY: https.key,
    }


def _webhooks_file(data: Path) -> Path:
    return data / SharedFile.WEBHOOKS


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
