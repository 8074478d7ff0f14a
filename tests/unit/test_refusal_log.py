"""Why Kafka lets no client in is said once a minute, whatever librdkafka makes of it."""

from __future__ import annotations

from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from order_runtime.kafka.refusal_log import RefusalLog

FAILED_HANDSHAKE = "ssl://kafka:1/bootstrap: error:0A000086:SSL routines::certificate verify failed"


def test_a_failed_handshake_that_is_reported_under_two_codes_is_logged_once() -> None:
    refused = RefusalLog()
    with capture_logs() as logs:
        refused(KafkaError(KafkaError._SSL, f"{FAILED_HANDSHAKE} (after 3ms in state SSL)"))  # noqa: SLF001
        refused(KafkaError(KafkaError._TRANSPORT, FAILED_HANDSHAKE))  # noqa: SLF001
    assert [it["reason"] for it in logs] == [FAILED_HANDSHAKE]


def test_a_login_that_fails_is_another_reason_than_a_handshake() -> None:
    refused = RefusalLog()
    with capture_logs() as logs:
        refused(KafkaError(KafkaError._SSL, FAILED_HANDSHAKE))  # noqa: SLF001
        refused(KafkaError(KafkaError._AUTHENTICATION, "invalid credentials"))  # noqa: SLF001
        refused(KafkaError(KafkaError._TRANSPORT, "connection refused"))  # noqa: SLF001
    assert [it["reason"] for it in logs] == [FAILED_HANDSHAKE, "invalid credentials"]
