"""The gateway as a process: composes its parts and serves until it is told to stop."""

from __future__ import annotations

import uvloop

from gateway.adapters.read_store import TIMEOUT_MS, ReadStore
from gateway.domain.urls import Urls
from gateway.http.server import Server
from gateway.routes import Dependencies, create_app
from gateway.settings import Settings
from order_contracts.topics import GATEWAY
from order_runtime.auth.api_keys import KeyFile
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.publisher import Publisher
from order_runtime.mongo.client import async_client
from order_runtime.process import health, logs
from order_runtime.process.settings import load, secret_list
from order_runtime.process.signals import async_stop_event

# A caller hears of a Kafka that is away within 5 s; librdkafka looks for it once a second.
KAFKA_TIMEOUT_MS = 3_000


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM: then no new requests, those in flight answered, the producer flushed."""
    stop = async_stop_event()
    async with (
        async_client(settings.mongo, GATEWAY, TIMEOUT_MS) as mongo,
        Publisher(settings.kafka, settings.instance, timeout_ms=KAFKA_TIMEOUT_MS) as publisher,
    ):
        parts = Dependencies(
            publisher=publisher,
            reads=ReadStore(mongo, settings.database),
            keys=KeyFile(settings.keys_file),
            urls=Urls(settings.public_url),
            secrets=JobIdSecrets(secret_list(settings.job_secrets)),
            leaving=stop.is_set,
        )
        server = Server(create_app(parts), settings.host, settings.port)
        with health.serving(
            settings.health_host,
            settings.health_port,
            ready=lambda: server.started and not stop.is_set(),
            live=lambda: not publisher.broken,
        ):
            await server.until(stop)


def main() -> None:
    settings = load(Settings)
    logs.configure(GATEWAY, settings.instance, settings.log_level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
