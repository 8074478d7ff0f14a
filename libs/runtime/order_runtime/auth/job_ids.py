"""
Job ids that prove by themselves that this system issued them, and when.

A UUIDv8 (RFC 9562): 48 bits of Unix milliseconds, 50 random bits, and 24 bits of an HMAC over
both under a secret that all gateways share. So a job can be answered before anything is stored.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

RANDOM_BITS: Final = 50
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MILLISECOND: Final = 253_402_300_799_999  # of the year 9999, the last a datetime can hold
_TAG_BITS: Final = 24
_VERSION: Final = 8
_VERSION_DIGIT: Final = str(_VERSION)
_VERSION_AT: Final = 14
_SPELT: Final = 36  # characters of a UUID
_VARIANT: Final = 0b10


def issue_job_id(milliseconds: int, random: int, secret: bytes) -> str:
    """Return a new job id; *random* holds 50 random bits."""
    payload = (milliseconds << RANDOM_BITS) | random
    bits = (payload << _TAG_BITS) | _tag(payload, secret)
    # 122 bits in three runs: 48, version, 12, variant, 62.
    high, middle, low = bits >> 74, (bits >> 62) & 0xFFF, bits & ((1 << 62) - 1)
    number = (high << 80) | (_VERSION << 76) | (middle << 64) | (_VARIANT << 62) | low
    return _spelt(f"{number:032x}")


@dataclass(frozen=True, slots=True)
class JobIdSecrets:
    """The secrets of job ids: the first issues; the others verify what was issued before."""

    newest_first: Sequence[bytes]

    def issued_at(self, job_id: str) -> datetime | None:
        """Return when this system issued *job_id*, or None if it never did."""
        bits = _bits(job_id)
        if bits is None or bits >> (RANDOM_BITS + _TAG_BITS) > LAST_MILLISECOND:
            return None
        payload, tag = bits >> _TAG_BITS, bits & ((1 << _TAG_BITS) - 1)
        # Compared in constant time, or a forger could find a tag byte by byte.
        if not any(
            hmac.compare_digest(tag.to_bytes(3), _tag(payload, secret).to_bytes(3))
            for secret in self.newest_first
        ):
            return None
        return EPOCH + timedelta(milliseconds=payload >> RANDOM_BITS)


def _bits(job_id: str) -> int | None:
    """Return the 122 bits of a UUIDv8 in its canonical spelling, else None."""
    if len(job_id) != _SPELT or job_id[_VERSION_AT] != _VERSION_DIGIT:
        return None  # as the ids of nearly all other senders, without the cost of reading them
    try:
        value = UUID(job_id)
    except ValueError:
        return None
    if value.version != _VERSION or str(value) != job_id:
        return None
    number = value.int
    return (number >> 80) << 74 | ((number >> 64) & 0xFFF) << 62 | number & ((1 << 62) - 1)


def _spelt(digits: str) -> str:
    """Return the 32 hexadecimal digits of a UUID with its hyphens."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _tag(payload: int, secret: bytes) -> int:
    digest = hmac.digest(secret, payload.to_bytes(13), "sha256")
    return int.from_bytes(digest[: _TAG_BITS // 8])
