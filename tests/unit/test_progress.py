"""What is to be committed: what was settled and, where it was refused and is ours still, again."""

from __future__ import annotations

from dataclasses import replace

from order_runtime.records import Record
from order_writer.progress import Progress
from support.commands import record, register


def at(partition: int, offset: int) -> Record:
    return replace(record(register("o-1"), "job-1"), partition=partition, offset=offset)


def progress(*records: Record) -> Progress:
    """Return that of a worker who has the partitions 0 and 1, and has settled *records*."""
    made = Progress()
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
    made.refused(0, 5)
    assert made.due() == {0: 5}


def test_what_was_refused_goes_with_what_is_settled_next() -> None:
    made = progress(at(0, 4))
    made.due()
    made.refused(0, 5)
    made.taken([0, 1])
    made.settled([at(1, 8)])
    assert made.due() == {0: 5, 1: 9}


def test_a_refusal_that_comes_late_takes_nothing_back() -> None:
    """Two commits were under way, and only the first was refused."""
    made = progress(at(0, 4))
    made.due()
    made.settled([at(0, 5)])
    made.due()
    made.refused(0, 5)
    assert made.due() == {}


def test_what_is_lost_is_not_committed_any_more() -> None:
    """Its new owner may be further by now."""
    made = progress(at(0, 4), at(1, 8))
    made.given_up([0])
    assert made.due() == {1: 9}
    made.refused(0, 5)
    assert made.due() == {}


def test_what_was_lost_with_its_batch_in_hand_and_came_back_is_not_committed() -> None:
    """Meanwhile another worker had it: where it goes on is known with the next batch."""
    made = Progress()
    made.taken([0, 1])
    made.given_up([0])
    made.settled([at(0, 4), at(1, 8)])
    assert made.due() == {1: 9}
    made.taken([0, 1])
    made.settled([at(0, 9)])
    assert made.due() == {0: 10}
