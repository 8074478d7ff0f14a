"""Why Kafka doesn't let a client in, apart from brokers that are away: logins, certificates."""

from __future__ import annotations

import re
from typing import Final

from confluent_kafka import KafkaError

_CODES: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001  librdkafka's own codes begin with _
        KafkaError._SSL,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
    }
)
_TLS: Final = "SSL routines"
"""In what is reported of a connection that the broker ended within the handshake."""
_AFTER: Final = re.compile(r" \(after \d+ms in state \w+\)")


def refusal(error: KafkaError) -> str | None:
    """Return why the client isn't let in; None where *error* says something else."""
    text = str(error.str())
    if error.code() not in _CODES and _TLS not in text:
        return None
    return _AFTER.sub("", text)


def refusal_kind(error: KafkaError) -> int:
    """Return the code that a refusal counts under: a failed handshake is reported under several."""
    return KafkaError._SSL if _TLS in str(error.str()) else int(error.code())  # noqa: SLF001
