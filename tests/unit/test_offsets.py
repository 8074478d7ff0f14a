"""Where a group goes on: in the log it is fine, before or after it something is lost."""

from __future__ import annotations

import pytest

from order_runtime.kafka.offsets import offset_out_of_range


@pytest.mark.parametrize("goes_on", [5, 7, 9])
def test_an_offset_that_the_log_has_or_will_have_next_is_fine(goes_on: int) -> None:
    assert offset_out_of_range("orders.commands 3", "order-writer", goes_on, first=5, end=9) is None


def test_what_was_deleted_unread_is_told_with_its_place() -> None:
    sentence = offset_out_of_range("orders.commands 3", "order-writer", 4, first=5, end=9) or ""

    assert sentence.startswith("orders.commands 3: the group order-writer is to go on at 4, and")
    assert "the log begins at 5" in sentence


def test_an_offset_beyond_the_end_means_another_log() -> None:
    sentence = offset_out_of_range("orders.commands 3", "order-writer", 10, first=0, end=9) or ""

    assert "the log ends at 9: the topic was deleted and made anew" in sentence
