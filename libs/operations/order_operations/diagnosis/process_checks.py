"""Findings about the processes of the services, as they report themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_operations.diagnosis.facts import Access, Facts, Health, Instance
from order_operations.diagnosis.finding import SETUP, Code, Finding, Severity
from order_operations.diagnosis.wording import lasting, listed

SILENT: Final = timedelta(seconds=15)  # three heartbeats
SERVICES: Final = (GATEWAY, WRITER, ENRICHER, TRIGGER)
WITHOUT: Final = {
    GATEWAY: "No order is taken over HTTP.",
    WRITER: "Orders are accepted and none is stored.",
    ENRICHER: "Orders are stored, and none is connected to its contact; no action is triggered.",
    TRIGGER: "No webhook is sent; they wait.",
}


def alive(facts: Facts) -> list[Instance]:
    """Return the processes that gave a sign of life lately."""
    return [it for it in facts.instances if it.stopped_at is None and not _silent(it, facts.at)]


def processes(facts: Facts) -> Iterator[Finding]:
    """Services of which no process is left, and processes that are dead, frozen or failed."""
    if facts.mongodb.access is not Access.ANSWERS or "instances" in facts.unanswered:
        return
    living = alive(facts)
    for service in SERVICES:
        own = [it for it in facts.instances if it.service == service]
        gone = _not_replaced([it for it in own if it not in living], own)
        if not any(it.service == service for it in living):
            yield _down(service, own, gone, facts.at)
        else:
            yield from (it for one in gone if (it := _gone(one, facts.at)))


def _down(
    service: str, own: Sequence[Instance], gone: Sequence[Instance], now: datetime
) -> Finding:
    last = max(own, key=lambda it: it.heartbeat_at, default=None)
    if last is None:
        said, began = f"No {service} runs: none ever reported itself in this database.", None
    else:
        ends = [f"{it.name} {_end(it, now)}" for it in (gone or [last])]
        said, began = f"No {service} runs: {'; '.join(ends[:3])}.", last.heartbeat_at
    return Finding(
        Code.SERVICE_DOWN,
        Severity.CRITICAL,
        said,
        f"{WITHOUT[service]} Nothing that was accepted is lost.",
        _start(gone or own) or f"Start the {service}; see docs/runbooks/processes.md.",
        subject=service,
        about=service,
        since=began,
        causes=SETUP,
    )


def _gone(instance: Instance, now: datetime) -> Finding | None:
    """Return what is wrong with a process that doesn't live; None where it was asked to end."""
    if instance.stopped_at is not None and instance.failure is None:
        return None
    failed = instance.stopped_at is not None
    return Finding(
        Code.PROCESS_FAILED if failed else Code.PROCESS_SILENT,
        Severity.WARNING,
        f"{instance.name} {_end(instance, now)}.",
        f"Another {instance.service} does its work; one more that is lost stops it.",
        _start([instance]),
        subject=f"{instance.service}/{instance.name}",
        about=instance.service,
        since=instance.heartbeat_at,
        causes=SETUP if failed else frozenset(),
    )


def _end(instance: Instance, now: datetime) -> str:
    """Say how a process ended, as the rest of a sentence that begins with its name."""
    at = instance.heartbeat_at
    ago = f"at {at:%H:%M:%S}Z, {lasting(max(now - at, timedelta()).total_seconds())} ago"
    if instance.failure is not None:
        return f"ended {ago}: {instance.failure.rstrip('.')}"
    if instance.stopped_at is not None:
        return f"was stopped {ago}"
    match instance.answers:
        case Health.REFUSED:
            return f"is dead, and gave its last sign of life {ago}"
        case Health.HANGS:
            return f"is frozen: it answers nothing, and gave its last sign of life {ago}"
        case Health.ANSWERS:
            return f"lives, and stored its last heartbeat in MongoDB {ago}"
    return f"is dead, frozen or cut off, and gave its last sign of life {ago}"


def _start(instances: Sequence[Instance]) -> str:
    if not instances:
        return ""
    places = listed([f"{it.name} (pid {it.pid} on {it.host})" for it in instances])
    frozen = any(it.answers is Health.HANGS for it in instances)
    thaw = f"`orders kill {instances[0].name} --signal CONT` lets it go on, or " if frozen else ""
    return (
        f"{thaw}`orders start {instances[0].name}` starts it again, on a stack of this machine;"
        f" elsewhere start {places} again, and read the end of its log."
    )


def _silent(instance: Instance, now: datetime) -> bool:
    return now - instance.heartbeat_at > SILENT


def _not_replaced(gone: Sequence[Instance], own: Sequence[Instance]) -> list[Instance]:
    """
    Return those of *gone* in whose place no other process of the service was started since.

    Where names change with each start, as of pods, the document of one that died stays for a day.
    """
    started = sorted(it.started_at for it in own if it not in gone)
    left: list[Instance] = []
    for it in sorted(gone, key=lambda it: it.heartbeat_at):
        later = next((at for at in started if at > it.heartbeat_at), None)
        if later is None:
            left.append(it)
        else:
            started.remove(later)
    return left
