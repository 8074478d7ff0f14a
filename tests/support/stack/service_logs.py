"""What services of a stack have logged."""

from __future__ import annotations

import json

from support.builders.bodies import Json
from support.stack.running_stack import RunningStack


def log_lines(stack: RunningStack, service: str) -> list[Json]:
    """Return the structured lines of all starts of a service."""
    log = stack.command.home / stack.name / "logs" / f"{service}.log"
    return [json.loads(it) for it in log.read_text().splitlines() if it.startswith("{")]


def has_logged(stack: RunningStack, service: str, event: str) -> bool:
    return any(it["event"] == event for it in log_lines(stack, service))


def last_words(stack: RunningStack, service: str) -> str:
    """Return the sentence that a service logged as critical last; empty where there is none."""
    sentences = [it["event"] for it in log_lines(stack, service) if it["level"] == "critical"]
    return sentences[-1] if sentences else ""


def settled_commands(stack: RunningStack) -> int:
    """Return how many commands the order-writer has settled, repeats included."""
    lines = log_lines(stack, "order-writer")
    return sum(it["commands"] for it in lines if it["event"] == "batch settled")
