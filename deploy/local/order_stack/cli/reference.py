"""The commands for reference data: load it, show it, count it."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from order_stack.cli.options import JsonOption, err, out, print_json
from order_stack.cli.system_options import SystemOptions, on_a_system

reference_app = typer.Typer(no_args_is_help=True, help="Contacts, articles and stores.")


@reference_app.callback()
def reference_group() -> None:
    """Contacts, articles and stores."""


@reference_app.command("load")
@on_a_system
def load_reference(
    system: SystemOptions,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="NDJSON files.")],
    timeout: Annotated[float, typer.Option(help="Seconds the enricher may take.")] = 120.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until the orders that wait for it are healed, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish reference data; return when the enricher has recorded it."""
    from order_contracts.topics import ENRICHER
    from order_operations.consumers.progress import wait_until_committed
    from order_operations.reference import reference_load
    from order_operations.reference.healing_backlog import wait_until_healed
    from order_operations.workloads.table import REFERENCE_PUBLISHER

    kafka = system.kafka_address(REFERENCE_PUBLISHER)
    mongo = system.mongo_address() if wait else None
    entries = [entry for file in files for entry in reference_load.entries_of(file)]
    with err().status("Publishing, and waiting for the enricher to read it"):
        ends = reference_load.publish(kafka, entries)
        wait_until_committed(kafka, ENRICHER, ends, timeout)
        if mongo is not None:
            wait_until_healed(mongo, timeout)
    counts = Counter(entry.kind.topic.name for entry in entries)
    if as_json:
        print_json({"published": len(entries), "topics": dict(counts)})
    else:
        lines = (f"{count:>7} to {topic}" for topic, count in sorted(counts.items()))
        out().print("\n".join(lines) or "Nothing to load.")


@reference_app.command("show")
@on_a_system
def show_reference(
    system: SystemOptions,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="contact, article or store.")],
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its contactId, sku or id.")],
) -> None:
    """Print what the enricher keeps of one, as JSON; a contact's keys are personal data."""
    from order_operations.reference.lookup import reference_document

    print_json(reference_document(system.mongo_address(), kind, identity))


@reference_app.command("count")
@on_a_system
def count_reference(system: SystemOptions, as_json: JsonOption = False) -> None:
    """Count what is known, and the orders and actions that wait for more."""
    from order_operations.json_values import json_of
    from order_operations.reference.lookup import reference_counts

    counts = json_of(reference_counts(system.mongo_address()))
    if as_json:
        print_json(counts)
    else:
        out().print(_table(counts))


def _table(counts: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False)
    for name, count in counts.items():
        table.add_row(name, f"{count:>10,}")
    return table
