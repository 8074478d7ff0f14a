"""Why Kafka doesn't let a client in, apart from brokers that are away: logins, certificates."""

from __future__ import annotations

import re
import time
from typing import Final

from confluent_kafka import KafkaError

from order_runtime.process.log_events import KAFKA_REFUSES
from order_runtime.process.logs import log

SAID_AGAIN_SECONDS: Final = 60.0
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


class RefusalLog:
    """Logs why clients of this process aren't let in: each reason once a minute."""

    def __init__(self) -> None:
        self._silent_until: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Take an error as librdkafka reports it (`error_cb`); may be called from any thread."""
        reason, now = refusal(error), time.monotonic()
        if reason is None or now < self._silent_until.get(error.code(), 0.0):
            return
        self._silent_until[error.code()] = now + SAID_AGAIN_SECONDS
        log().error(KAFKA_REFUSES, reason=reason)


log_refusal: Final = RefusalLog()
"""Of all clients of the process: each of them would say the same."""
