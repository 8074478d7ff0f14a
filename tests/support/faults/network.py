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
DISK_SIZE = "4g"  # of memory, as far as it is used
BEYOND_A_SESSION = 15.0
SLOW = 0.2


def of(scene: FaultCluster, backend: str) -> TcpProxy:
    """Return the way to a backend of a service that chance picks."""
    return scene.detours[scene.rng.choice(SERVICES), backend]


@contextmanager
def slow(scene: FaultCluster, backend: str) -> Iterator[None]:
    detour = of(scene, backend)
    detour.delay = SLOW
    yield
    detour.delay = 0.0


@contextmanager
def reset(scene: FaultCluster, backend: str) -> Iterator[None]:
    of(scene, backend).reset()
    yield


@contextmanager
def hole(scene: FaultCluster, backend: str) -> Iterator[None]:
    detour = of(scene, backend)
    detour.hole()
    yield
    detour.open()


@contextmanager
def full_disk(scene: FaultCluster) -> Iterator[None]:
    """The broker ends as soon as it can't write; it is started again when there is room."""
    if scene.disk is None:
        raise NotInjected("mounting a file system isn't permitted here")
    _resize(scene.disk, str(_used(scene.disk)))
    until(lambda: scene.stack.pid(DISK) is None, seconds=120, of=f"{DISK} to end, its disk full")
    yield
    _resize(scene.disk, DISK_SIZE)
    scene.start(DISK)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a file system of its own on a folder; None where that isn't permitted."""
    folder.mkdir(parents=True)
    how = ("mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(folder))
    if subprocess.run(how, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def _used(folder: Path) -> int:
    """Return the bytes in use, in whole blocks."""
    seen = os.statvfs(folder)
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize


def _resize(folder: Path, size: str) -> None:
    subprocess.run(("mount", "-o", f"remount,size={size}", str(folder)), check=True)


OF_NETWORK = tuple(
    Fault(f"network to {backend}: {name}", partial(how, backend=backend), seconds=seconds)
    for backend in (KAFKA, MONGODB)
    for name, how, seconds in (
        ("latency", slow, 10.0),
        ("reset", reset, 0.0),
        ("black hole", hole, BEYOND_A_SESSION),
    )
)
OF_DISK = (Fault("broker: disk full", full_disk, outlived=True),)
