"""Names of the gateway's log events, each with its meaning."""

from __future__ import annotations

from typing import Final

from order_runtime.process.log_events import LogEvent

REQUEST: Final = LogEvent("request", "The access log: one line for each request.")
REQUEST_FAILED: Final = LogEvent("request failed", "An unexpected error; it was answered with 500.")
