"""What Kafka or MongoDB refused for want of a right, in words that quote no document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from pymongo.errors import OperationFailure

UNAUTHORIZED: Final = 13
DENIED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
"""Codes of errors by which a broker says that the client lacks a right."""
# MongoDB quotes the whole command, which may hold an order: its name and collection come first.
_COMMAND: Final = re.compile(r"not authorized on (\S+) to execute command \{ (\w+): \"?([\w.$]+)")


@dataclass(frozen=True, slots=True)
class RefusedRight:
    """Who refused, and what."""

    system: str
    refused: str


def refused_right(error: BaseException) -> RefusedRight | None:
    """Return what *error* says was refused; None where it says something else."""
    match error:
        case KafkaException() if error.args and error.args[0].code() in DENIED:
            return RefusedRight("Kafka", str(error.args[0].str()))
        case OperationFailure() if error.code == UNAUTHORIZED:
            return RefusedRight("MongoDB", _command(str((error.details or {}).get("errmsg", ""))))
    if _is_aiokafkas(error) and getattr(error, "errno", None) in DENIED:
        return RefusedRight("Kafka", f"{type(error).__name__}: {error}")
    return None


def _is_aiokafkas(error: BaseException) -> bool:
    """Tell it without loading the library, which the gateway doesn't use."""
    return type(error).__module__ == "aiokafka.errors"


def _command(message: str) -> str:
    found = _COMMAND.match(message)
    return f"{found[2]} on collection {found[3]}" if found else "a command"
