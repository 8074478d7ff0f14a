"""When the certificates end that a process holds, for an alert before they do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from order_runtime.observability import metrics
from order_runtime.process.connection_settings import ConnectionSettings

GATEWAY: Final = "gateway"
_ENDS: Final[dict[str, datetime]] = {}


def show_expiry(name: str, path: Path) -> None:
    """Show when the first certificate of a PEM file ends; nothing where it can't be read."""
    from cryptography import x509  # noqa: PLC0415  only who holds a certificate loads it

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return  # whoever needs the file says what is wrong with it
    ends = min(it.not_valid_after_utc for it in found)
    metrics.CERTIFICATE_EXPIRY.labels(name).set(ends.timestamp())
    _ENDS[name] = ends


def expiries() -> Mapping[str, datetime]:
    """Return when each certificate ends that was shown, by its name."""
    return dict(_ENDS)


def show_expiries(settings: ConnectionSettings) -> None:
    """Show when the certificates of the connections to Kafka and MongoDB end; read at the start."""
    for name, path in _files(settings).items():
        if path is not None:
            show_expiry(name, path)


def _files(settings: ConnectionSettings) -> Mapping[str, Path | None]:
    return {
        "kafka_ca": settings.kafka_ca_file,
        "kafka_client": settings.kafka_cert_file,
        "mongodb_ca": settings.mongo_ca_file,
        "mongodb_client": settings.mongo_cert_file,
    }
