"""The traces of a process: nothing where they are off, else the SDK that exports them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from order_runtime.observability.tracing import Tracing
from order_runtime.process.settings import ServiceSettings, Traces


@contextmanager
def tracing(settings: ServiceSettings, service: str, release: str) -> Iterator[Tracing | None]:
    """Give what records spans, None where traces are off; export what is left at the end."""
    if settings.traces is Traces.OFF:
        yield None
        return
    # Only here: a service without traces must not pay for the imports.
    from order_runtime.observability import trace_export as export  # noqa: PLC0415

    exporters = {Traces.OTLP: export.otlp_exporter, Traces.ZIPKIN: export.zipkin_exporter}
    exporter = exporters[settings.traces](settings.traces_url)
    exported = export.TraceExport(exporter, service, settings.instance, release)
    try:
        yield Tracing(settings.traces_sample, exported.record)
    finally:
        exported.close()
