"""Names of the gateway's log events, each with its meaning."""

from __future__ import annotations

from typing import Final

from order_runtime.process.log_events import LogEvent

REQUEST: Final = LogEvent("request", "The access log: one line for each request.")
REQUESTS_NOT_SERVED: Final = LogEvent(
    "requests not served",
    "Requests were answered 503, as Kafka or MongoDB gave no answer: `missing` names it, `count`"
    " says how many since the last such line of `code`.",
)
REQUEST_FAILED: Final = LogEvent("request failed", "An unexpected error; it was answered with 500.")
CERTIFICATE_READ_AGAIN: Final = LogEvent(
    "certificate read again", "Its files changed; new connections get the new one."
)
CERTIFICATE_NOT_READ: Final = LogEvent(
    "certificate not read, the old one goes on",
    "The certificate's files changed, and can't be used; new connections get the old one.",
)
