"""What spans say, by OpenTelemetry's conventions for messaging and HTTP: ids, never values."""

from __future__ import annotations

from typing import Final

from order_contracts.topics import Topic
from order_runtime.observability.tracing import Attributes

ORDER_ID: Final = "ordermill.order_id"
JOB_ID: Final = "ordermill.job_id"
MESSAGE: Final = "ordermill.message"
"""The name of a command or event."""
ATTEMPT: Final = "ordermill.attempt"
ENDPOINT: Final = "ordermill.endpoint"
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_RESENT: Final = "http.request.resend_count"
ERROR_TYPE: Final = "error.type"

_SEND: Final = "send"
_PROCESS: Final = "process"


def send_name(topic: Topic) -> str:
    return f"{_SEND} {topic.name}"


def process_name(topic: Topic) -> str:
    return f"{_PROCESS} {topic.name}"


def sent(topic: Topic, *, order_id: str, job_id: str, message: str) -> Attributes:
    """Return what the span of publishing a record says."""
    return {**_messaging(topic, _SEND), ORDER_ID: order_id, JOB_ID: job_id, MESSAGE: message}


def processed(topic: Topic, group: str, **ids: str | int | None) -> dict[str, str | int]:
    """
    Return what the span of handling a record says.

    *ids* are any of order_id, job_id, message, partition and offset; None is left out.
    """
    names = {
        "order_id": ORDER_ID,
        "job_id": JOB_ID,
        "message": MESSAGE,
        "partition": "messaging.destination.partition.id",
        "offset": "messaging.kafka.offset",
    }
    known = {names[name]: value for name, value in ids.items() if value is not None}
    return {**_messaging(topic, _PROCESS), "messaging.consumer.group.name": group, **known}


def _messaging(topic: Topic, operation: str) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic.name,
    }
