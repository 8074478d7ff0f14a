"""Faults of the network between a service and Kafka or MongoDB, and of a broker's disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from support.faults.cluster import KAFKA, MONGODB, SERVICES, FaultCluster
from support.faults.fault import Fault, NotInjected
from support.faults.tcp_proxy import TcpProxy
from support.stack.wait import until

DISK = "broker-3"
DISK_SIZE = "4g"  # tmpfs: takes memory only for what is used
LONGER_THAN_SESSION = 15.0
LATENCY = 0.2


def proxy_of_random_service(cluster: FaultCluster, backend: str) -> TcpProxy:
    """Return the proxy between a random service and *backend*; raises NotInjected without one."""
    if not cluster.proxies:
        raise NotInjected("no proxy can stand in a connection of TLS")
    return cluster.proxies[cluster.rng.choice(SERVICES), backend]


@contextmanager
def added_latency(cluster: FaultCluster, backend: str) -> Iterator[None]:
    proxy = proxy_of_random_service(cluster, backend)
    proxy.delay = LATENCY
    yield
    proxy.delay = 0.0


@contextmanager
def connection_reset(cluster: FaultCluster, backend: str) -> Iterator[None]:
    proxy_of_random_service(cluster, backend).reset_connections()
    yield


@contextmanager
def black_hole(cluster: FaultCluster, backend: str) -> Iterator[None]:
    proxy = proxy_of_random_service(cluster, backend)
    proxy.block()
    yield
    proxy.unblock()


@contextmanager
def full_disk(cluster: FaultCluster) -> Iterator[None]:
    """Fill a broker's disk, so that it ends; start it again when there is space."""
    if cluster.disk is None:
        raise NotInjected("mounting a file system isn't permitted here")
    resize(cluster.disk, str(bytes_used(cluster.disk)))
    until(lambda: cluster.stack.pid(DISK) is None, seconds=120, of=f"{DISK} to end, its disk full")
    yield
    resize(cluster.disk, DISK_SIZE)
    cluster.start(DISK)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a tmpfs on a folder; yield None if that isn't permitted."""
    folder.mkdir(parents=True)
    how = ("mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(folder))
    if subprocess.run(how, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def bytes_used(folder: Path) -> int:
    """Return the bytes in use, rounded up to whole blocks."""
    seen = os.statvfs(folder)
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize


def resize(folder: Path, size: str) -> None:
    subprocess.run(("mount", "-o", f"remount,size={size}", str(folder)), check=True)


NETWORK_FAULTS = tuple(
    Fault(f"network to {backend}: {name}", partial(how, backend=backend), seconds=seconds)
    for backend in (KAFKA, MONGODB)
    for name, how, seconds in (
        ("latency", added_latency, 10.0),
        ("reset", connection_reset, 0.0),
        ("black hole", black_hole, LONGER_THAN_SESSION),
    )
)
DISK_FAULTS = (Fault("broker: disk full", full_disk, recovers_during=True),)
