"""Structured logs: one JSON line an event on standard output, never a payload or a person's key."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

import structlog

from order_contracts.trace_context import trace_id_of

SAME_SECONDS: Final = 10
MAX_SAID: Final = 1_000


def configure(service: str, instance: str, level: str) -> None:
    """Send our events and the libraries' warnings to standard output as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared
        )
    )
    handler.addFilter(_repeats_dropped())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _repeats_dropped() -> Callable[[logging.LogRecord], bool]:
    """Return a filter that passes each message of a library once in ten seconds."""
    said: dict[tuple[str, str], float] = {}

    def first(record: logging.LogRecord) -> bool:
        what = (record.name, str(record.msg))
        if record.created - said.get(what, 0) < SAME_SECONDS:
            return False
        if len(said) > MAX_SAID:
            said.clear()
        said[what] = record.created
        return True

    return first


def log() -> structlog.typing.FilteringBoundLogger:
    """Return the logger; an event's name is a short phrase, its facts are keywords."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def error_fields(error: BaseException) -> dict[str, str | list[str]]:
    """Return an error's kind and the calls that led to it; its message may be personal."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "calls": calls}


def trace_fields(traceparent: str | None) -> dict[str, str]:
    """Return the id of the trace that a line belongs to; nothing where there is none."""
    trace_id = trace_id_of(traceparent)
    return {} if trace_id is None else {"trace_id": trace_id}
