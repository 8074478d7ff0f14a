"""Structured logs: one JSON line an event on standard output, never a payload or a person's key."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import PurePath

import structlog


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
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def log() -> structlog.typing.FilteringBoundLogger:
    """Return the logger; an event's name is a short phrase, its facts are keywords."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def told(error: BaseException) -> dict[str, str | list[str]]:
    """Return an error's kind and the calls that led to it; its message may be personal."""
    frames = traceback.extract_tb(error.__traceback__)
    calls = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "calls": calls}
