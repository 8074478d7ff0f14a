"""Looks for a person's identifiers where they may be, in the very bytes that are stored."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


def pattern(identifiers: Collection[str]) -> re.Pattern[bytes]:
    """
    Return what finds any of these in bytes, as they are or as JSON writes them.

    Whatever the case of ASCII letters; but not within a longer word or number, since a member's
    number may be a short one.
    """
    forms = {it for text in identifiers for it in (text, _json(text)) if it}
    either = b"|".join(re.escape(form.encode()) for form in sorted(forms)) or rb"(?!)"
    return re.compile(rb"(?<![0-9A-Za-z])(?:" + either + rb")(?![0-9A-Za-z])", re.IGNORECASE)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def leaks(database: Database[Any], sought: re.Pattern[bytes]) -> Iterator[str]:
    """Yield where the raw BSON of a document holds what is sought: its collection and id."""
    for name in sorted(database.list_collection_names()):
        for document in database.get_collection(name, codec_options=_RAW).find():
            if sought.search(document.raw):
                yield f"{name} {document['_id']}"
