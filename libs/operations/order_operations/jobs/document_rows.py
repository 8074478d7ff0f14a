"""Documents as rows of a list: one that can't be read is left out, as in the lists of gateways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from order_runtime.documents.document import Document, UnreadableStored, stored

T = TypeVar("T")


def readable_rows(
    collection: str, documents: Iterable[Document], read: Callable[[Document], T]
) -> Iterator[T]:
    """Yield what *read* makes of each document that it can read."""
    for document in documents:
        try:
            yield stored(collection, document, read)
        except UnreadableStored:
            continue
