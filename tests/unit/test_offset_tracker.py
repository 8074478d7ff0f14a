"""What is to be committed: what was settled and, where it was refused and is ours still, again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_runtime.kafka.records import Record
from order_writer.domain.offset_tracker import OffsetTracker
from support.builders.commands import command_record, register


def at(partition: int, offset: int) -> Record:
    return replace(command_record(register("o-1"), "job-1"), partition=partition, offset=offset)


def progress(*records: Record) -> OffsetTracker:
    """Return that of a worker who has the partitions 0 and 1, and has settled *records*."""
    made = OffsetTracker()
    made.taken([0, 1])
    made.settled(records)
    return made


def test_what_is_settled_is_committed_once_and_past_its_last_record() -> None:
    made = progress(at(0, 4), at(0, 5), at(1, 8))
    assert made.due() == {0: 6, 1: 9}
    assert made.due() == {}


def test_what_was_refused_is_committed_again_though_nothing_more_comes() -> None:
    made = progress(at(0, 4), at(1, 8))
    made.due()
    made.answered(0, 5, refused=True)
    assert made.due() == {0: 5}


def test_what_was_refused_goes_with_what_is_settled_next() -> None:
    made = progress(at(0, 4))
    made.due()
    made.answered(0, 5, refused=True)
    made.taken([0, 1])
    made.settled([at(1, 8)])
    assert made.due() == {0: 5, 1: 9}


@pytest.mark.parametrize("refused", [True, False])
def test_an_answer_that_is_not_of_the_last_commit_has_it_committed_again(refused: bool) -> None:
    """The client may have tried the older one again, so that it came last."""
    made = progress(at(0, 4))
    made.due()
    made.settled([at(0, 5)])
    made.due()
    made.answered(0, 5, refused=refused)
    assert made.due() == {0: 6}
    made.answered(0, 6, refused=False)
    assert made.due() == {}


def test_what_is_read_and_is_no_record_is_committed_too() -> None:
    """The end of a transaction has an offset, and nobody is given it."""
    made = progress(at(0, 4))
    made.due()
    made.read_to({0: 6, 1: 3})
    assert made.due() == {0: 6, 1: 3}
    made.read_to({0: 6, 1: 3})
    assert made.due() == {}


def test_what_is_lost_is_not_committed_any_more() -> None:
    """Its new owner may be further by now."""
    made = progress(at(0, 4), at(1, 8))
    made.revoked([0])
    assert made.due() == {1: 9}
    made.answered(0, 5, refused=True)
    assert made.due() == {}


def test_what_was_lost_with_its_batch_in_hand_and_came_back_is_not_committed() -> None:
    """Meanwhile another worker had it: where it goes on is known with the next batch."""
    made = OffsetTracker()
    made.taken([0, 1])
    made.revoked([0])
    made.settled([at(0, 4), at(1, 8)])
    assert made.due() == {1: 9}
    made.taken([0, 1])
    made.settled([at(0, 9)])
    assert made.due() == {0: 10}
