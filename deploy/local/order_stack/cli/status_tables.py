"""The status of a stack as tables."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from order_stack.cluster.parts import Stack


def addresses(stack: Stack) -> Table:
    """Return what a person needs to use the stack."""
    table = Table.grid(padding=(0, 2))
    for label, value in (
        *(("Gateway", f"{gateway}/api/v3") for gateway in stack.gateways),
        ("API key", stack.apikey),
        ("Kafka", stack.kafka),
        ("MongoDB", f"{stack.mongo_shown} (database {stack.database})"),
        ("Webhooks", f"{stack.receiver}/received"),
        ("Data", stack.data),
        *([("Logins", stack.logins), ("Authority", stack.ca_file)] if stack.logins else []),
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
