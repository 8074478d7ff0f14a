"""The status of a stack as tables, what is wrong first."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from order_contracts.times import rfc3339
from order_stack.cluster.parts import Stack
from order_stack.supervision.status import PartStatus, StackStatus, by_gravity


def whole(seen: StackStatus, *, secrets: bool) -> Iterator[RenderableType]:
    """Yield what is wrong, the parts, the lag and the addresses."""
    for problem in seen.problems:
        yield Text(problem, "red")
    for sentence in seen.paused:
        yield Text(sentence, "yellow")
    yield Text("" if seen.problems else "All parts run and are ready.")
    yield from (processes(seen), "", lag(seen), "", addresses(seen.stack, secrets=secrets))


def addresses(stack: Stack, *, secrets: bool) -> Text:
    """Return what a person needs to use the stack, a line each; the API key with *secrets*."""
    rows = (
        *(("Gateway", f"{gateway}/api/v3") for gateway in stack.gateways),
        ("API key", stack.apikey if secrets else "shown by `orders status --secrets`"),
        ("Kafka", stack.kafka),
        ("MongoDB", f"{stack.mongo_shown} (database {stack.database})"),
        ("Webhooks", f"{stack.receiver}/received"),
        *([("Traces", stack.traces)] if stack.traces else []),
        *([("Metrics", stack.metrics)] if stack.metrics else []),
        ("Data", stack.data),
        *([("Logins", stack.logins), ("Authority", stack.ca_file)] if stack.logins else []),
    )
    lines = (Text.assemble((f"{label:<9}", "bold"), f"  {value}") for label, value in rows)
    return Text("\n").join(lines)


def processes(seen: StackStatus) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("Part", "State", "Ready", "Process", "Since"):
        table.add_column(column)
    for item in by_gravity(seen.parts):
        table.add_row(*_row(item))
    return table


def _row(item: PartStatus) -> tuple[str | Text, ...]:
    process = item.process
    return (
        item.part.name,
        Text(process.state, "" if process.state == "running" else "red"),
        Text("yes", "green") if item.ready else Text("no", "red"),
        str(process.pid or "none"),
        rfc3339(process.since) if process.since else "",
    )


def lag(seen: StackStatus) -> Text:
    """Return the records that each consumer group has not handled yet, in one line."""
    if seen.lag is None:
        return Text("Lag: not known, Kafka doesn't answer.", "red")
    return Text(f"Lag in records: {', '.join(f'{it} {count}' for it, count in seen.lag.items())}")
