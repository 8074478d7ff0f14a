"""A stored document that can't be read is named, and said once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import BSON, DatetimeMS, encode
from prometheus_client import REGISTRY

from order_contracts.decoding import UnreadableDocument
from order_runtime.documents.document import Document, UnreadableStored, field, optional, stored
from order_runtime.documents.jobs import entry_of
from order_runtime.documents.orders import order_of
from order_runtime.mongo.client import CODEC
from order_runtime.process.unreadable import all_readable, readable

SECRET = "kim@example.com"


def count(collection: str) -> float:
    name = "ordermill_unreadable_documents_total"
    return REGISTRY.get_sample_value(name, {"collection": collection}) or 0


@pytest.mark.parametrize("convert", [order_of, entry_of])
@pytest.mark.parametrize(
    "content", [{"schema": 99}, {"order": SECRET}, {"deletedAt": SECRET}, {"operation": SECRET}]
)
def test_any_way_in_which_it_can_not_be_read_is_one_error_without_content(
    convert: Any, content: dict[str, str]
) -> None:
    with pytest.raises(UnreadableStored) as raised:
        stored("orders", {"_id": "o-1", **content}, convert)
    assert (raised.value.facts["collection"], raised.value.facts["document"]) == ("orders", "o-1")
    assert SECRET not in f"{raised.value} {raised.value.facts}"


@pytest.mark.parametrize(
    ("value", "kind"), [(1, str), ("1", int), (True, int), (None, int), ("2025", datetime)]
)
def test_a_field_of_another_type_is_unreadable(value: object, kind: type[object]) -> None:
    with pytest.raises(UnreadableDocument, match="field a"):
        field({"a": value}, "a", kind)


def test_what_is_absent_or_null_is_none_where_it_may_be() -> None:
    assert (optional({}, "a", int), optional({"a": None}, "a", int)) == (None, None)
    assert optional({"a": 1}, "a", int) == 1
    with pytest.raises(UnreadableDocument):
        optional({"a": "1"}, "a", int)


def test_the_others_of_a_list_are_read() -> None:
    documents: list[Document] = [{"_id": "1", "a": 1}, {"_id": "2"}, {"_id": "3", "a": 3}]
    assert all_readable("some", documents, lambda it: field(it, "a", int)) == [1, 3]


def test_a_document_is_logged_and_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A poll meets it every second."""
    for _ in range(3):
        assert readable("polled", {"_id": "d-1"}, lambda it: field(it, "a", int)) is None
    assert count("polled") == 1
    assert capsys.readouterr().out.count("d-1") == 1


def test_a_time_out_of_range_and_text_that_is_none_fail_no_query() -> None:
    """The driver would raise for them, and with them for every document of the answer."""
    raw = encode({"a": DatetimeMS(2**62), "b": "xx"}).replace(b"xx\x00", b"\xff\xfe\x00")
    document = BSON(raw).decode(CODEC)
    assert not isinstance(document["a"], datetime)
    assert isinstance(document["b"], str)
    assert encode({"t": datetime(2025, 1, 1, tzinfo=UTC)}, codec_options=CODEC)
