"""The command that counts dead letters, by their documents alone."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from order_stack.cli.options import (
    JsonOption,
    SinceAgoOption,
    TimeoutOption,
    since_of,
)
from order_stack.cli.printing.summaries import Counts, print_counts
from order_stack.cli.system_options import SystemOptions, on_a_system

COLUMNS: Final = ("topic", "code", "state", "count", "source", "client", "oldest", "newest")


@on_a_system
def summarize_letters(
    system: SystemOptions,
    since: SinceAgoOption = None,
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Count dead letters by topic, code, sender and state, the open ones first; reads no topic."""
    from order_operations.dead_letters.documents import summarize
    from order_operations.json_values import json_of

    found = summarize(system.mongo_address(), since_of(since, datetime.now(UTC)), timeout)
    counts = Counts(json_of(found.groups), found.counted, found.complete)
    print_counts(counts, COLUMNS, of="dead letters", limit=None, as_json=as_json)
