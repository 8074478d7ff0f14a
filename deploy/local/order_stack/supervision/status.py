"""What a stack looks like right now, for people and for scripts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.table import Table

from order_stack.cluster.parts import Part, Stack
from order_stack.supervision.probes import answers
from order_stack.supervision.processes import find


def _look(part: Part, folder: Path) -> dict[str, Any]:
    process = find(part, folder)
    # Asked only of a living process: its port may be somebody else's by now.
    ready = process is not None and answers(part.ready)
    return {"name": part.name, "pid": process.pid if process else None, "ready": ready}


def status(stack: Stack, folder: Path) -> dict[str, Any]:
    """Return the status as its JSON says it; a part that was killed has no pid."""
    with ThreadPoolExecutor(len(stack.parts)) as pool:
        looks = pool.map(lambda part: _look(part, folder), stack.parts)
        seen = {part.name: look for part, look in zip(stack.parts, looks, strict=True)}
    return {
        "gateway": stack.gateway,
        "gateways": list(stack.gateways),
        "apikey": stack.apikey,
        "kafka": stack.kafka,
        "mongo": stack.mongo,
        "receiver": stack.receiver,
        "services": [{**seen[part.name], "url": part.url} for part in stack.of_kind("service")],
        "parts": [
            {**seen[part.name], **({"address": part.address} if part.address else {})}
            for part in stack.of_kind("broker", "mongod", "receiver")
        ],
    }


def addresses(stack: Stack) -> Table:
    """Return what a person needs to use the stack."""
    table = Table.grid(padding=(0, 2))
    for label, value in (
        *(("Gateway", f"{gateway}/api/v3") for gateway in stack.gateways),
        ("API key", stack.apikey),
        ("Kafka", stack.kafka),
        ("MongoDB", f"{stack.mongo} (database {stack.database})"),
        ("Webhooks", f"{stack.receiver}/received"),
        ("Data", stack.data),
    ):
        table.add_row(f"[bold]{label}[/]", value)
    return table


def processes(seen: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("Part", "Process", "Ready"):
        table.add_column(column)
    for item in (*seen["services"], *seen["parts"]):
        ready = "[green]yes[/]" if item["ready"] else "[red]no[/]"
        table.add_row(item["name"], str(item["pid"] or "none"), ready)
    return table
