"""Names of the action-trigger's log events, each with its meaning."""

from __future__ import annotations

from typing import Final

from order_runtime.process.log_events import LogEvent

UNREADABLE_ACTION: Final = LogEvent(
    "unreadable action", "A record of `orders.actions` can't be read; it is a dead letter."
)
ACTION_FAILED: Final = LogEvent(
    "action failed", "A delivery was given up; see the integration log."
)
ENDPOINT_IS_GONE: Final = LogEvent("endpoint is gone", "The endpoint answered 410.")
ENDPOINT_MOVED: Final = LogEvent(
    "endpoint moved", "An endpoint is enabled, disabled or paused now."
)
ACTIONS_GIVEN_UP: Final = LogEvent(
    "actions given up", "Their 75 h ended while the endpoint was only probed."
)
CIRCUIT_OPENED: Final = LogEvent("circuit opened", "An endpoint is only probed from now on.")
CIRCUIT_CLOSED: Final = LogEvent("circuit closed", "An endpoint answers again, and is used.")
WEBHOOKS_FILE_READ_AGAIN: Final = LogEvent(
    "webhooks file read again", "The webhooks file changed, and is used."
)
WEBHOOKS_FILE_REFUSED: Final = LogEvent(
    "webhooks file refused", "The webhooks file changed and can't be used; the one before goes on."
)
