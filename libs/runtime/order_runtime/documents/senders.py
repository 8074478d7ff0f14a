"""Who sent a command: the system that its `ce_source` names, and the gateway's API client. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from order_runtime.documents.document import Document, optional

_SOURCE: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
"""A URI reference: neither blanks, nor what a terminal or a page would act upon."""
_CLIENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sender:
    """Both are short plain text, and None where they aren't known."""

    source: str | None = None
    client: str | None = None
    """Whose API key the gateway took; only of what a gateway sent."""

    def fields(self) -> Document:
        """Return the fields of a document that say it; none for what isn't known."""
        both = {"source": self.source, "client": self.client}
        return {name: it for name, it in both.items() if it is not None}


UNKNOWN: Final = Sender()


@lru_cache(maxsize=4_096)
def sender(source: str | None, client: str | None = None) -> Sender:
    """Return who these attributes name; what is no short plain text counts as not known."""
    return Sender(
        source if source and _SOURCE.fullmatch(source) else None,
        client if client and _CLIENT.fullmatch(client) else None,
    )


def sender_by_headers(headers: Iterable[tuple[str, bytes | None]]) -> Sender:
    """Return who the header `ce_source` names, whatever the other headers are."""
    told = [value or b"" for name, value in headers if name.lower() == "ce_source"]
    return sender(told[0].decode(errors="replace")) if len(told) == 1 else UNKNOWN


def sender_or_unknown(document: Document) -> Sender:
    """Return who a document's fields name; what can't be read counts as not known."""
    told = (document.get("source"), document.get("client"))
    return sender(*(it if isinstance(it, str) else None for it in told))


def sender_of(document: Document) -> Sender:
    """Return who a document's fields name."""
    return Sender(optional(document, "source", str), optional(document, "client", str))
