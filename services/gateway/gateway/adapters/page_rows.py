"""The rows of a page from MongoDB, no more of them than an answer should hold."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator
from typing import Any, Final

import bson

from gateway.domain.pagination import FetchedRows
from order_runtime.mongo.client import CODEC

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of documents after which a page ends early; its link leads on."""


async def page_rows(batches: AsyncIterable[Any]) -> FetchedRows:
    """
    Return the documents of a cursor's raw batches, up to PAGE_BYTES of them, but at least one.

    Each is decoded when it is known to fit, since that takes a multiple of its bytes.
    """
    rows, size = FetchedRows(), 0
    async for batch in batches:
        for document in _documents(batch):
            size += len(document)
            if rows and size > PAGE_BYTES:
                rows.cut = True
                return rows
            rows.append(bson.decode(document, CODEC))
    return rows


def _documents(batch: bytes) -> Iterator[memoryview]:
    """Yield the documents of a batch; each begins with its length."""
    rest = memoryview(batch)
    while rest:
        length = int.from_bytes(rest[:4], "little")
        yield rest[:length]
        rest = rest[length:]
