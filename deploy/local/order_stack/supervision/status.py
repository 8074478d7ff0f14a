"""The status of a stack: which processes live, which are ready, and where everything is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from order_stack.cluster.parts import Part, Stack
from order_stack.supervision.probes import answers
from order_stack.supervision.processes import find


def _part_status(part: Part, folder: Path) -> dict[str, Any]:
    process = find(part, folder)
    # A dead process's port may belong to another process by now, so only a living one is probed.
    ready = process is not None and answers(part.ready)
    return {"name": part.name, "pid": process.pid if process else None, "ready": ready}


def status_of(stack: Stack, folder: Path) -> dict[str, Any]:
    """Return the status as `orders status --json` prints it; a part that was killed has no pid."""
    with ThreadPoolExecutor(len(stack.parts)) as pool:
        parts = pool.map(lambda part: _part_status(part, folder), stack.parts)
        seen = {part["name"]: part for part in parts}
    return {
        "gateway": stack.gateway,
        "gateways": list(stack.gateways),
        "apikey": stack.apikey,
        "kafka": stack.kafka,
        "mongo": stack.mongo_shown,
        "receiver": stack.receiver,
        "logins": stack.logins,
        "caFile": stack.ca_file,
        "services": [{**seen[part.name], "url": part.url} for part in stack.of_kind("service")],
        "parts": [
            {**seen[part.name], **({"address": part.address} if part.address else {})}
            for part in stack.of_kind("broker", "mongod", "receiver")
        ],
    }
