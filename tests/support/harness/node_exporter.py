"""A real node_exporter: what the disks of this machine have left."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.harness.free_ports import free_port

PROGRAMS = ("node_exporter", "prometheus-node-exporter")  # as it is named, and as Debian names it
ALL_BUT_TMPFS = "^([^t].*|t[^m].*)$"


@contextmanager
def node_exporter(folder: Path, leaves_out: str = "^$") -> Iterator[str]:
    """Yield the address of one that leaves out file systems of the types that a pattern has."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "node_exporter is missing: apt-get install prometheus-node-exporter"
    address = f"127.0.0.1:{free_port()}"
    argv = [
        program,
        "--collector.disable-defaults",
        "--collector.filesystem",
        f"--collector.filesystem.fs-types-exclude={leaves_out}",
        f"--web.listen-address={address}",
    ]
    with (folder / "node_exporter.log").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out)
    try:
        yield address
    finally:
        process.kill()
        process.wait()
