"""`orders demo`: sample orders on a stack of its own, which is removed afterwards."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from order_contracts.topics import ENRICHER, PUBLIC, TOPICS
from order_operations import ndjson
from order_operations.connections.mongo_client import open_database
from order_operations.consumers.progress import topic_lags, wait_until_committed
from order_operations.reference import reference_load
from order_operations.reference.healing_backlog import wait_until_healed
from order_operations.workloads.table import REFERENCE_PUBLISHER
from order_stack.cluster import state
from order_stack.cluster.parts import Stack
from order_stack.cluster.stack_plan import Report, StackOptions
from order_stack.demo import demo_report
from order_stack.demo.demo_report import DemoProgress
from order_stack.problems import StackProblem
from order_stack.submit import submission
from order_stack.submit.submission import SubmitResult
from order_stack.supervision.down import take_down
from order_stack.supervision.signals import ignoring_signals
from order_stack.supervision.up import up

CONCURRENCY = 4  # few enough to watch
GIVE_UP_SECONDS = 60.0  # without progress
REFRESH_SECONDS = 0.4
READERS = {topic.name: sorted(topic.readers - {PUBLIC}) for topic in TOPICS}


def demo(console: Console) -> None:
    """Start a stack of its own, show everything, and stop it, whatever other stacks are up."""
    began = time.monotonic()
    name = f"demo-{secrets.token_hex(3)}"
    console.print(Rule("Ordermill: orders in, signed webhooks out", align="left"))
    try:
        with step(console, "Started Kafka, MongoDB and the four services") as report:
            stack = up(name, StackOptions(), report)
        _run(stack, console)
    finally:
        _stop(name, console)
    console.print(
        Rule(f"{time.monotonic() - began:.1f} s in all; nothing is left running", align="left")
    )


def _stop(name: str, console: Console) -> None:
    with ignoring_signals():
        folder = state.folder_of(name)
        if stack := state.load(folder):
            with step(console, "Stopped everything"):
                take_down(stack, folder)


def _run(stack: Stack, console: Console) -> None:
    with resources.as_file(resources.files("order_stack.demo") / "sample") as sample:
        with step(console, "Loaded contacts, articles and stores"):
            _load(stack, sample)
        orders = ndjson.text_lines_of(sample / "orders.ndjson")
    with step(console, f"Registered {len(orders)} sample orders; all jobs settled", spinner=False):
        result = asyncio.run(_flow(stack, orders, console))
    _report(stack, result, console)
    if result.unsettled:
        raise StackProblem(
            f"{result.unsettled} jobs did not settle within {GIVE_UP_SECONDS:.0f} s."
        )


@contextmanager
def step(console: Console, label: str, spinner: bool = True) -> Iterator[Report]:
    """Show a spinner on a terminal meanwhile; print the step and its seconds when it is done."""
    began = time.monotonic()
    spins = spinner and console.is_terminal
    with console.status(label) if spins else nullcontext() as status:
        yield status.update if status else lambda _: None
    console.print(Text(f"  {label:<60}{time.monotonic() - began:>6.1f} s", style="green"))


def _load(stack: Stack, sample: Path) -> None:
    files = ("contacts.ndjson", "articles.ndjson", "stores.ndjson")
    entries = [entry for file in files for entry in reference_load.entries_of(sample / file)]
    ends = reference_load.publish(stack.kafka_address(REFERENCE_PUBLISHER), entries)
    wait_until_committed(stack.kafka_address(), ENRICHER, ends, GIVE_UP_SECONDS)
    wait_until_healed(stack.mongo_address(), GIVE_UP_SECONDS)


async def _flow(stack: Stack, orders: Sequence[str], console: Console) -> SubmitResult:
    """Submit the orders and follow their jobs; on a terminal the progress is drawn meanwhile."""
    progress = DemoProgress(total=len(orders))
    drawn = (
        Live(progress, console=console, transient=True) if console.is_terminal else nullcontext()
    )
    with drawn:
        watching = asyncio.create_task(_watch(stack, progress))
        try:
            return await submission.run(
                stack, orders, CONCURRENCY, GIVE_UP_SECONDS, progress, follow_jobs=True
            )
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _watch(stack: Stack, progress: DemoProgress) -> None:
    while True:
        progress.topics = await asyncio.to_thread(topic_lags, stack.kafka_address(), READERS)
        progress.webhooks = len(await asyncio.to_thread(_received, stack))
        await asyncio.sleep(REFRESH_SECONDS)


def _report(stack: Stack, result: SubmitResult, console: Console) -> None:
    progress = DemoProgress(
        total=len(result.answers),
        answers=list(result.answers),
        jobs={job["jobId"]: job for job in result.jobs},
        topics=topic_lags(stack.kafka_address(), READERS),
    )
    received = _received(stack)
    progress.webhooks = len(received)
    console.print("", progress)
    console.print(demo_report.refusals(result.answers))
    console.print(demo_report.integration_log(_log_entries(stack)))
    console.print(demo_report.webhooks(received))


def _received(stack: Stack) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{stack.receiver}/received", timeout=5) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)
    except OSError as error:
        raise StackProblem(f"The receiver of webhooks does not answer ({error}).") from error
    return found


def _log_entries(stack: Stack) -> list[dict[str, Any]]:
    with open_database(stack.mongo_address(), response_seconds=10) as database:
        return list(database["integration_log"].find().sort([("code", 1), ("orderId", 1)]))
