"""Records of reference data: as documents, and in runs that a tombstone may not share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from enricher.domain.contact_matching import ContactKeys
from enricher.domain.linking import article_key, store_key, survivor_key
from order_contracts import topics
from order_contracts.decoding import Invalid, parse
from order_contracts.errors import FieldError
from order_contracts.reference import (
    Article,
    Contact,
    FieldFaults,
    ReferenceMessage,
    Store,
    read_reference,
)
from order_contracts.structured import data_of, structured_event
from order_runtime.documents.document import Document
from order_runtime.documents.erasures import ERASURE_RETENTION, former_id_key, id_key
from order_runtime.documents.merges import pointer_document
from order_runtime.kafka.records import Record

FORMER_KEYS: Final = "formerKeys"
"""The field with the keys that a contact had before; see `changed_keys`."""

MERGED_INTO: Final = "mergedInto"
"""The field with the contactId that a contact was merged into; stored as a pointer."""

MATCHES_AS: Final = "matchesAs"
"""
The field with the class of a contact, by which a few stand for all that share a key.

Those of a class fit the same orders: it is their type or, of those that were merged, the contact
that they were merged into.
"""
_MERGED: Final = "into:"


FIELD_FAULTS: Final = "fieldFaults"
"""The field with the optional fields that were passed over; it is reported and not stored."""


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """How the records of one reference topic are kept."""

    model: type[ReferenceMessage]
    document: Callable[[Any, ContactKeys], Document]
    """From a message to its document, without its position."""
    key: Callable[[str], str] | None = None
    """From an id to the key that orders wait for; None: the documents hold the keys themselves."""


def _contact(contact: Contact, keys: ContactKeys) -> Document:
    return {
        "_id": keys.hashed(id_key(contact.contact_id)),
        "contactId": contact.contact_id,
        MERGED_INTO: contact.merged_into,
        "keys": list(keys.all_of(contact)),
        "contactType": contact.contact_type,
        "language": contact.language,
    }


def _article(article: Article, _: ContactKeys) -> Document:
    return {"_id": article.sku, "articleNumber": article.article_number, "name": article.name}


def _store(store: Store, _: ContactKeys) -> Document:
    return {"_id": store.external_store_id, "name": store.name}


REFERENCE_KINDS: Final[Mapping[str, ReferenceKind]] = MappingProxyType(
    {
        topics.CONTACTS.name: ReferenceKind(Contact, _contact),
        topics.ARTICLES.name: ReferenceKind(Article, _article, article_key),
        topics.STORES.name: ReferenceKind(Store, _store, store_key),
    }
)
"""By the name of the topic."""


def reference_document(record: Record, keys: ContactKeys, topic_id: str) -> Document:
    """
    Return the document of *record*; raises Invalid.

    It may be a CloudEvent in structured mode; its other headers don't matter: it is read without
    those that can't be. Optional fields that are at fault are in FIELD_FAULTS. A tombstone has a
    document too, so that an older record can't restore what was deleted. The `_id` of a contact is
    a keyed hash: its tombstone must not say who was deleted.
    """
    if record.unreadable is not None and not record.key:
        # Not a tombstone, though it has no value: the record or its batch could not be read.
        raise _malformed(record.unreadable)
    key = _record_key(record)
    kind = REFERENCE_KINDS[record.topic]
    identity = keys.hashed(id_key(key)) if kind.key is None else key
    position = {
        "at": record.at,
        "topic": topic_id,
        "partition": record.partition,
        "offset": record.offset,
    }
    if record.value is None:
        deleted = _deleted(record) if kind.key is None else {"deletedAt": record.at}
        return {"_id": identity, "position": position, **deleted}
    message, faults = read_reference(kind.model, _data(record))
    document = kind.document(message, keys)
    if document.get("contactId", document["_id"]) != key:
        raise _malformed("The key must be the id in the value")
    present = {name: value for name, value in document.items() if value is not None}
    return {**present, "position": position, **({FIELD_FAULTS: faults} if faults else {})}


def former_document(record: Record, document: Document, keys: ContactKeys) -> Document | None:
    """
    Return the tombstone of what an earlier release stored of the same contact, under another `_id`.

    It kept invisible marks at the ends of an id: its document would outlive the contact's own
    tombstone.
    """
    former = former_id_key(_record_key(record)) if record.topic == topics.CONTACTS.name else None
    if former is None:
        return None
    position = document["position"]
    return {"_id": keys.hashed(former), "position": position, **_deleted(record)}


def _deleted(record: Record) -> Document:
    """Return the fields of a contact's tombstone."""
    return {"deletedAt": record.at, "expireAt": record.at + ERASURE_RETENTION}


def _data(record: Record) -> object:
    event = structured_event(record.headers, record.value)
    return parse(record.value or b"") if event is None else data_of(event)


def _record_key(record: Record) -> str:
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        raise _malformed("The key must be UTF-8 text") from None
    if not key:
        raise _malformed("The key is missing")
    return key


def _malformed(message: str) -> Invalid:
    return Invalid((FieldError(pointer="", code="Malformed", message=message),))


def taken_pointer(document: Document, keys: ContactKeys) -> Document | None:
    """Take out of a contact's *document* whom it was merged into, and return the pointer to it."""
    into = document.pop(MERGED_INTO, None)
    if into is None or into == document["contactId"]:
        return None
    pointer = pointer_document(
        document["_id"], document["contactId"], keys.hashed(id_key(into)), into
    )
    return {**pointer, "position": document["position"]}


def taken_faults(document: Document) -> FieldFaults:
    """Take out of a *document* why optional fields of its record were passed over."""
    faults: FieldFaults = document.pop(FIELD_FAULTS, {})
    return faults


def match_class(document: Document, into: str | None) -> str | None:
    """Return the class of a contact, merged *into* the one with that hash; a tombstone has none."""
    if "keys" not in document:
        return None
    if into is not None:
        return f"{_MERGED}{into}"
    contact_type = document.get("contactType")
    return "any" if contact_type is None else f"type:{contact_type}"


def is_merged_class(name: str | None) -> bool:
    return name is not None and name.startswith(_MERGED)


def changed_keys(topic: str, document: Document) -> set[str]:
    """Return the keys, present and former, of *document*: orders that wait for one are affected."""
    key = REFERENCE_KINDS[topic].key or survivor_key
    own = (key(document["_id"]),)
    return {*own, *document.get("keys", ()), *document.get(FORMER_KEYS, ())}


def split_at_deletions(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield *records* in runs: a tombstone shares its run with no other record of its key."""
    run: list[Record] = []
    seen: set[bytes | None] = set()
    deleted: set[bytes | None] = set()
    for record in records:
        if record.key in deleted or (record.value is None and record.key in seen):
            yield run
            run, seen, deleted = [], set(), set()
        run.append(record)
        seen.add(record.key)
        if record.value is None:
            deleted.add(record.key)
    if run:
        yield run
