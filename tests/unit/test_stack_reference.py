"""What a line of reference data is, is told from its fields; a bad line stops its whole file."""

from __future__ import annotations

from pathlib import Path

import pytest

from order_operations.problems import OperationFailed
from order_operations.reference import reference_load


@pytest.mark.parametrize(
    ("line", "topic", "key"),
    [
        (b'{"contactId":"c-1","email":"a@example.com"}', "reference.contacts", "c-1"),
        (b'{"sku":"1","articleNumber":"1"}', "reference.articles", "1"),
        (b'{"externalStoreId":"web","name":"Web"}', "reference.stores", "web"),
    ],
)
def test_the_kind_of_a_line_is_told_from_its_fields(line: bytes, topic: str, key: str) -> None:
    entry = reference_load.parse_entry(line)
    assert (entry.kind.topic.name, entry.key) == (topic, key)


def test_what_is_published_is_compact_and_holds_no_unknown_fields() -> None:
    entry = reference_load.parse_entry(b'{"sku": "1", "name": "Caf\\u00e9", "colour": "red"}')
    assert entry.value == '{"sku":"1","name":"Café"}'.encode()


@pytest.mark.parametrize(
    "line",
    [
        b'{"name":"x"}',
        b'{"sku":"1","contactId":"2"}',
        b'{"orderId":"1","externalStoreId":"web"}',
        b"[]",
        b"not json",
        b'{"sku":1}',
    ],
)
def test_what_is_no_reference_data_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        reference_load.parse_entry(line)


def test_a_bad_line_is_told_with_its_file_and_number(tmp_path: Path) -> None:
    file = tmp_path / "articles.ndjson"
    file.write_text('{"sku":"1"}\n\n{"sku":""}\n')
    with pytest.raises(OperationFailed, match=r"articles\.ndjson, line 3: .*/sku.*Nothing was pub"):
        reference_load.entries_of(file)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match="can't be read"):
        reference_load.entries_of(tmp_path / "none.ndjson")
