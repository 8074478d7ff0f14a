"""Searches a database for a person's identifiers, in the bytes that are stored."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_UNNAMED: Final = "(a document without id)"  # MongoDB's profiler writes such


def pattern(identifiers: Collection[str]) -> re.Pattern[bytes]:
    """
    Return a pattern that finds any identifier in bytes, as it is or as JSON escapes it.

    The case of ASCII letters doesn't count. A match must not stand within a longer word or
    number, since a member number may have few digits.
    """
    forms = {it for text in identifiers for it in (text, _json(text)) if it}
    either = b"|".join(re.escape(form.encode()) for form in sorted(forms)) or rb"(?!)"
    return re.compile(rb"(?<![0-9A-Za-z])(?:" + either + rb")(?![0-9A-Za-z])", re.IGNORECASE)


def leaks(database: Database[Any], sought: re.Pattern[bytes]) -> Iterator[str]:
    """Yield collection and id of each document whose raw BSON matches; reads the whole database."""
    for name in sorted(database.list_collection_names()):
        for document in database.get_collection(name, codec_options=_RAW).find():
            if sought.search(document.raw):
                yield f"{name} {document.get('_id', _UNNAMED)}"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
