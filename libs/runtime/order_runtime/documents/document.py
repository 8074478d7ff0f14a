"""
A MongoDB document as a plain value, for modules that import no driver, and how it is read.

What is stored may be of a newer release, or damaged. `stored` makes every way in which it can't be
read one error that names it, and `field` checks a type where the value would be used much later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from order_contracts.decoding import UnreadableDocument

Document = dict[str, Any]
T = TypeVar("T")


class UnreadableStored(UnreadableDocument):
    """
    One stored document that can't be read.

    *facts* are for the log: they say which document it is and what error it makes, and hold
    nothing of its content.
    """

    def __init__(self, collection: str, identity: object, error: Exception) -> None:
        super().__init__(f"A document of {collection} can't be read ({type(error).__name__})")
        self.collection = collection
        self.facts = {
            "collection": collection,
            "document": identity if isinstance(identity, str) else type(identity).__name__,
            "error": type(error).__name__,
        }


def stored(collection: str, document: Document, convert: Callable[[Document], T]) -> T:
    """Return what *convert* makes of *document*; raises UnreadableStored for any error of it."""
    try:
        return convert(document)
    except UnreadableStored:
        raise
    except Exception as error:
        raise UnreadableStored(collection, document.get("_id"), error) from error


def field(document: Document, name: str, kind: type[T]) -> T:
    """Return a field that must be of type *kind*; raises UnreadableDocument."""
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UnreadableDocument(f"The field {name} is no {kind.__name__}")
    return value


def optional(document: Document, name: str, kind: type[T]) -> T | None:
    """Return a field as `field` does; None where it is absent or null."""
    return None if document.get(name) is None else field(document, name, kind)
