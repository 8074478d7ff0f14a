"""The status of a stack: which processes live, which are ready, and where everything is."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from order_contracts.times import rfc3339
from order_operations.problems import OperationFailed
from order_stack.cluster.parts import Part, Stack
from order_stack.supervision.part_state import PartState, part_state
from order_stack.supervision.probes import answers

PAUSES_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part with the state of its process; one that is ready runs and answers as ready."""

    part: Part
    process: PartState
    ready: bool


@dataclass(frozen=True, slots=True)
class StackStatus:
    """All parts, and by consumer group how many records it has not handled yet."""

    stack: Stack
    parts: tuple[PartStatus, ...]
    lag: dict[str, int] | None
    """None where Kafka doesn't answer."""
    paused: tuple[str, ...] = ()
    """A sentence for each consumer group, or topic of one, that an operator paused."""

    @property
    def problems(self) -> list[str]:
        """What is wrong: first the dead, then the frozen, then what isn't ready."""
        found = (problem_of(it, self.stack.name) for it in by_gravity(self.parts))
        return [problem for problem in found if problem]


def problem_of(seen: PartStatus, stack: str) -> str | None:
    """Return what is wrong with a part and the command that helps; None where nothing is."""
    name, process = seen.part.name, seen.process
    of = "" if stack == "default" else f" --name {stack}"
    match process.state:
        case "dead":
            return f"{name} is dead{_death(process)}; `orders start {name}{of}` starts it."
        case "frozen":
            since = f" since {rfc3339(process.since)}" if process.since else ""
            thaw = f"`orders kill {name} --signal CONT{of}`"
            return f"{name} is frozen (SIGSTOP){since}; {thaw} lets it go on."
    return None if seen.ready else f"{name} runs and isn't ready; its log: {seen.part.log}"


def by_gravity(parts: Iterable[PartStatus]) -> list[PartStatus]:
    """Return the parts, those with the worst problem first."""
    grave = ("dead", "frozen", "running")
    return sorted(parts, key=lambda it: (grave.index(it.process.state), it.ready))


def stack_status(stack: Stack, folder: Path) -> StackStatus:
    """Look at all processes and probe those that run; Kafka is asked for lag where it answers."""
    with ThreadPoolExecutor(len(stack.parts)) as pool:
        parts = tuple(pool.map(lambda part: _part_status(part, folder), stack.parts))
    return StackStatus(stack, parts, _lag(stack, parts), _paused(stack, parts))


def json_of(seen: StackStatus, *, secrets: bool) -> dict[str, Any]:
    """Return the status as `orders status --json` prints it, the API key only with *secrets*."""
    stack = seen.stack
    rows = {it.part.name: _row(it) for it in seen.parts}
    return {
        "problems": seen.problems,
        "gateway": stack.gateway,
        "gateways": list(stack.gateways),
        **({"apikey": stack.apikey} if secrets else {}),
        "kafka": stack.kafka,
        "mongo": stack.mongo_shown,
        "receiver": stack.receiver,
        "logins": stack.logins,
        "caFile": stack.ca_file,
        "traces": stack.traces,
        "metrics": stack.metrics,
        "lag": seen.lag,
        "paused": list(seen.paused),
        "services": [{**rows[part.name], "url": part.url} for part in stack.of_kind("service")],
        "parts": [
            {**rows[part.name], **({"address": part.address} if part.address else {})}
            for part in stack.of_kind("broker", "mongod", "receiver", "observer")
        ],
    }


def _row(seen: PartStatus) -> dict[str, Any]:
    process = seen.process
    return {
        "name": seen.part.name,
        "pid": process.pid,
        "ready": seen.ready,
        "state": process.state,
        "since": _shown(process.since),
        "signal": process.signal,
        "exitCode": process.exit_code,
        "lastLogAt": _shown(process.last_log_at),
    }


def _part_status(part: Part, folder: Path) -> PartStatus:
    process = part_state(part, folder)
    # A dead process's port may belong to another process by now, so only a living one is probed.
    return PartStatus(part, process, process.state == "running" and answers(part.ready))


def _lag(stack: Stack, parts: Iterable[PartStatus]) -> dict[str, int] | None:
    from order_operations.consumers.progress import group_lags  # noqa: PLC0415  takes long to import

    brokers = [it for it in parts if it.part.kind == "broker"]
    if brokers and not any(it.ready for it in brokers):
        return None
    return group_lags(stack.kafka_address())


def _paused(stack: Stack, parts: Iterable[PartStatus]) -> tuple[str, ...]:
    """Return what is paused; nothing where MongoDB can't be asked, which its state tells."""
    from order_operations.consumers.pauses import pauses  # noqa: PLC0415  takes long to import

    members = [it for it in parts if it.part.kind == "mongod"]
    if members and not any(it.ready for it in members):
        return ()
    try:
        found = pauses(stack.mongo_address(), PAUSES_SECONDS)
    except OperationFailed:
        return ()
    return tuple(
        f"{it.group} is paused{f' on {it.topic}' if it.topic else ''} since {rfc3339(it.since)}, by"
        f" {it.by}; `orders consumers resume {it.group}` lets it go on."
        for it in found
    )


def _death(process: PartState) -> str:
    """Return what is known of a death; where its time isn't, when it last wrote to its log."""
    word = "after" if process.signal == "SIGTERM" else "by"
    signal = f", {word} {process.signal}" if process.signal else ""
    code = process.exit_code
    cause = signal if code is None else f"{signal}, with exit code {code}"
    if process.since:
        return f" since {rfc3339(process.since)}{cause}"
    written = process.last_log_at
    return f"{cause}, the last line of its log at {rfc3339(written)}" if written else cause


def _shown(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
