"""The gateway as a process: composes its parts and serves until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from typing import Final

import uvloop

from gateway.adapters.read_store import TIMEOUT_MS, ReadStore
from gateway.domain.urls import Urls
from gateway.http.access_log import AccessLog
from gateway.http.certificate import Certificate, CertificateError
from gateway.http.connection_limits import ConnectionLimits, networks
from gateway.http.memory_budget import Memory
from gateway.http.server import Server
from gateway.routes import Dependencies, create_app
from gateway.settings import Settings
from order_contracts.topics import GATEWAY
from order_runtime.auth.api_keys import KeyFile
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.mongo.client import async_client
from order_runtime.observability.progress import Loop, beating
from order_runtime.observability.watch import watched
from order_runtime.process.errors import BadSettings
from order_runtime.process.service_runner import Process, collect_garbage_rarely, run_service
from order_runtime.process.settings import secret_list
from order_runtime.process.signals import async_stop_event
from order_runtime.startup.preflight import warn_of_indexes
from order_runtime.startup.rights import warn_until_granted

# A caller hears of a Kafka that is away within 5 s; librdkafka looks for it once a second.
KAFKA_TIMEOUT_MS: Final = 3_000
KEYS_SECONDS: Final = 0.05
"""How long a revoked key may still be taken."""


def run(process: Process[Settings]) -> None:
    collect_garbage_rarely()
    gc.freeze()  # what was imported stays
    names = {"service": GATEWAY, "instance": process.settings.instance}
    with (
        watched(process, GATEWAY),
        AccessLog(sys.stdout.buffer, names) as access_log,
    ):
        uvloop.run(serve(process, certificate_of(process.settings), access_log))


def certificate_of(settings: Settings) -> Certificate | None:
    """Return the certificate, None without TLS; a broken one ends the process as a bad setting."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    try:
        return Certificate(settings.tls_cert_file, settings.tls_key_file)
    except CertificateError as error:
        sentence = f"ORDERMILL_TLS_CERT_FILE, ORDERMILL_TLS_KEY_FILE: {error}"
        raise BadSettings(sentence) from error


async def serve(
    process: Process[Settings], certificate: Certificate | None, access_log: AccessLog
) -> None:
    """Serve until SIGTERM: then no new requests, those in flight answered, the producer flushed."""
    settings, stop = process.settings, async_stop_event(process.stop)
    secrets = JobIdSecrets(secret_list(settings.job_secrets))
    async with (
        async_client(settings.mongo_uri, GATEWAY, TIMEOUT_MS) as mongo,
        Publisher(
            settings.kafka_address,
            settings.instance,
            timeout_ms=KAFKA_TIMEOUT_MS,
            on_error=log_refusal,
        ) as publisher,
    ):
        dependencies = Dependencies(
            publisher=publisher,
            reads=ReadStore(mongo, settings.database, settings.erasure_secret.encode()),
            keys=KeyFile(settings.keys_file, KEYS_SECONDS),
            urls=Urls(settings.public_url),
            secrets=secrets,
            signatures=CommandSignatures(secrets),
            memory=Memory(settings.body_bytes, settings.page_bytes),
            leaving=stop.is_set,
            tracing=process.tracing,
        )
        checking = asyncio.create_task(asyncio.to_thread(check_backends, settings, process.stop))
        limits = ConnectionLimits(
            connections=settings.max_connections,
            trusted_proxies=networks(settings.trusted_proxies),
        )
        app = create_app(dependencies, access_log)
        server = Server(app, settings.host, settings.port, limits, certificate)
        process.probes.ready = lambda: server.started and not stop.is_set()
        process.probes.live = lambda: not publisher.broken
        process.probes.loops.append(event_loop := Loop("event loop"))
        async with beating(event_loop):
            await server.until(stop)
        await checking


def check_backends(settings: Settings, stop: threading.Event) -> None:
    """Log what is missing in Kafka and MongoDB; the gateway serves all the same."""
    warn_of_indexes(settings.mongo_uri, settings.database, GATEWAY)
    warn_until_granted(settings.kafka_address, settings.mongo_uri, settings.database, GATEWAY, stop)


if __name__ == "__main__":
    run_service(GATEWAY, Settings, run)
