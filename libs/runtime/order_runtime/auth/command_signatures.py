"""
Signatures that prove that one of our gateways made a record of `orders.commands`.

An HMAC-SHA256 over all of the record, under a key derived from the secrets of job ids: those are
shared by gateways and order-writers, and by nobody else. Pure.
"""

from __future__ import annotations

import hmac
from typing import Final

from order_contracts.cloudevents import GATEWAY_SIGNATURE
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.documents.jobs import RETENTION
from order_runtime.kafka.records import Outgoing, Record

_LABEL: Final = b"ordermill: signature of a gateway's command, version 1"
_NOTHING: Final = b"\xff" * 8  # in the place of a length: no field is so long


class CommandSignatures:
    """Signs with the newest secret; verifies with each of them."""

    def __init__(self, secrets: JobIdSecrets) -> None:
        self._secrets = secrets
        self._keys = [hmac.digest(it, _LABEL, "sha256") for it in secrets.newest_first]

    def signed(self, record: Outgoing) -> Outgoing:
        """Return *record* with its signature as one more header."""
        signature = _signature(self._keys[0], _content(record)).encode()
        headers = (*record.headers, (GATEWAY_SIGNATURE, signature))
        return Outgoing(record.topic, record.key, record.value, headers)

    def made(self, record: Record) -> bool:
        """
        Return whether a gateway made *record*, as it is, for a job that is still kept.

        A copy under another key, with another value or with any other header isn't the gateway's;
        nor is one that was sent again, which says so in a header. An exact copy is a repeat, which
        the ledger knows for as long as jobs are kept: afterwards its signature is void.
        """
        given = [value for name, value in record.headers if name == GATEWAY_SIGNATURE]
        if len(given) != 1 or given[0] is None or not self._is_recent(record):
            return False
        content = _content(record)
        # Compared in constant time, or a forger could find a signature byte by byte.
        return any(
            hmac.compare_digest(given[0], _signature(key, content).encode()) for key in self._keys
        )

    def _is_recent(self, record: Record) -> bool:
        """Return whether the job's id was issued within its retention before the append time."""
        job_id = next((value for name, value in record.headers if name == "ce_id"), None)
        issued = self._secrets.issued_at((job_id or b"").decode(errors="replace"))
        return issued is not None and record.at - issued < RETENTION


def _signature(key: bytes, content: bytes) -> str:
    return hmac.digest(key, content, "sha256").hex()


def _content(record: Outgoing | Record) -> bytes:
    """
    Return what is signed: key, value and all headers, in their order, but the signature.

    Each field is preceded by its length in eight bytes, so that different records never have the
    same content.
    """
    fields = [record.key, record.value]
    for name, value in record.headers:
        if name != GATEWAY_SIGNATURE:
            fields += (name.encode(), value)
    return b"".join(map(_framed, fields))


def _framed(field: bytes | None) -> bytes:
    return _NOTHING if field is None else len(field).to_bytes(8) + field
