"""The command that shows how far the consumer groups are behind."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from typing import Final

from order_stack.cli.options import JsonOption, print_json
from order_stack.cli.printing.tables import print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system

COLUMNS: Final = ("group", "topic", "records", "seconds")


@on_a_system
def show_lag(system: SystemOptions, as_json: JsonOption = False) -> None:
    """Show what each consumer group has not processed, and for how long the oldest waits."""
    from order_operations.consumers.lag import lags
    from order_operations.json_values import json_of

    rows = json_of(lags(system.kafka_address()))
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, COLUMNS)
