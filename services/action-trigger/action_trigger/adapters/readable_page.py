"""The first documents of a query that can be read, as many as are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pymongo.asynchronous.collection import AsyncCollection

from order_runtime.mongo.client import ACTION_DELIVERIES, Document
from order_runtime.process.unreadable import readable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """The first documents that a query finds, by an index."""

    where: Document
    fields: Document
    hint: str
    sort: Mapping[str, int]
    limit: int


async def first_readable(
    deliveries: AsyncCollection[Document], page: Page, convert: Callable[[Document], T]
) -> list[T]:
    """Return what can be read of the first deliveries; what can't takes no other's place."""
    unreadable: list[Any] = []
    while True:
        others = {"_id": {"$nin": unreadable}} if unreadable else {}
        found = deliveries.find({**page.where, **others}, page.fields, hint=page.hint)
        documents = await found.sort(list(page.sort.items())).limit(page.limit).to_list()
        pairs = [(it["_id"], readable(ACTION_DELIVERIES, it, convert)) for it in documents]
        items = [item for _, item in pairs if item is not None]
        if len(items) == len(documents) or len(documents) < page.limit:
            return items
        unreadable += [identity for identity, item in pairs if item is None]
