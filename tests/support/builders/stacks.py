"""Stacks as data, of processes that only sleep."""

from __future__ import annotations

import sys
from pathlib import Path

from order_stack.cluster.parts import Part, Probe, Stack

SLEEP = "import time; time.sleep(60)"


def sleeping_part(folder: Path, name: str = "enricher", code: str = SLEEP) -> Part:
    """Return a part that runs Python *code*; its log is in *folder*."""
    probe = Probe("http", "http://127.0.0.1:1/livez")
    argv = (sys.executable, "-c", code)
    return Part(name, "service", argv, {}, str(folder / f"{name}.log"), probe, probe)


def stack_of(data: Path, *parts: Part, name: str = "default") -> Stack:
    return Stack(
        name=name,
        gateways=("http://127.0.0.1:1",),
        apikey="a secret",
        kafka="127.0.0.1:2",
        mongo="mongodb://127.0.0.1:3/",
        database="ordermill",
        receiver="http://127.0.0.1:4",
        data=str(data),
        keep_data=False,
        keys_file=str(data / "keys.json"),
        parts=parts,
    )
