"""Lists with filters that no index has: which rows are looked at, and by which index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.domain.pagination import Cursor, PageRequest
from order_runtime.mongo.collections import INTEGRATION_LOG, JOBS, LINKS, ORDERS_OF_CONTACT
from order_runtime.mongo.log_filter import LogFilter

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
ROW = {"_id": "o-1", "at": AT}
CODE, SEVERITY = {"code": "StoreMissing"}, {"severity": "Error"}
ORDER, JOB, SINCE = {"orderId": "o-1"}, {"jobId": "j-1"}, {"at": {"$gte": AT}}
BOTH = {"severity": {"$in": ["Warning", "Error"]}}


@pytest.mark.parametrize(
    ("ascending", "backward", "before"),
    [(False, False, "$gt"), (False, True, "$lt"), (True, False, "$lt"), (True, True, "$gt")],
)
def test_rows_up_to_one_are_those_that_are_fetched_before_it(
    *, ascending: bool, backward: bool, before: str
) -> None:
    asked = PageRequest("at", ascending, 5, Cursor(AT, "o-9"), backward)

    assert asked.up_to(ROW) == {
        "at": {f"{before}e": AT},
        "$or": [{"at": {before: AT}}, {"at": AT, "_id": {f"{before}e": "o-1"}}],
    }


@pytest.mark.parametrize("damaged", [{"at": "soon"}, {"_id": 7}])
def test_up_to_a_row_without_a_place_are_all(damaged: dict[str, Any]) -> None:
    assert PageRequest("at").up_to(ROW | damaged) == {}


@pytest.mark.parametrize(
    ("wanted", "index", "indexed", "others"),
    [
        (LogFilter(), "at_-1__id_-1", [], []),
        (LogFilter(since=AT), "at_-1__id_-1", [SINCE], []),
        (LogFilter("StoreMissing"), "code_1_severity_1_at_-1__id_-1", [CODE, BOTH], []),
        (
            LogFilter("StoreMissing", "Error", since=AT),
            "code_1_severity_1_at_-1__id_-1",
            [CODE, SEVERITY, SINCE],
            [],
        ),
        (LogFilter(severity="Error"), "severity_1_at_-1__id_-1", [SEVERITY], []),
        (LogFilter(order_id="o-1"), "orderId_1_at_-1__id_-1", [ORDER], []),
        (
            LogFilter("StoreMissing", "Error", "o-1", since=AT),
            "orderId_1_at_-1__id_-1",
            [ORDER, SINCE],
            [CODE, SEVERITY],
        ),
        (
            LogFilter("StoreMissing", None, "o-1", "j-1"),
            "jobId_1_at_-1__id_-1",
            [JOB],
            [CODE, ORDER],
        ),
        (
            LogFilter(code=""),
            "code_1_severity_1_at_-1__id_-1",
            [{"code": ""}, BOTH],
            [],
        ),
    ],
)
def test_the_log_is_read_by_the_index_of_the_narrowest_filter(
    wanted: LogFilter, index: str, indexed: list[Any], others: list[Any]
) -> None:
    """An empty filter is one, too: nothing has an empty code."""
    assert wanted.index.name == index
    assert wanted.index in INTEGRATION_LOG.indexes
    assert (wanted.indexed(), wanted.others()) == (indexed, others)


def test_lists_of_jobs_and_of_a_contact_have_indexes_with_the_keys_of_their_order() -> None:
    newest_first = (("at", -1), ("_id", -1))

    assert {newest_first, (("orderId", 1), *newest_first)} <= {it.keys for it in JOBS.indexes}
    assert ORDERS_OF_CONTACT in LINKS.indexes


@pytest.mark.parametrize(("backward", "beyond"), [(False, "$lt"), (True, "$gt")])
def test_every_alternative_beyond_the_cursor_is_written_out(*, backward: bool, beyond: str) -> None:
    asked = PageRequest("at", cursor=Cursor(AT, "o-9"), backward=backward)
    same_time, later = {"at": AT, "_id": {beyond: "o-9"}}, {"at": {beyond: AT}}
    warning, error = {"severity": "Warning"}, {"severity": "Error"}

    assert asked.where([CODE, {}, BOTH]) == {
        "$or": [
            {"$and": [CODE, warning, same_time]},
            {"$and": [CODE, warning, later]},
            {"$and": [CODE, error, same_time]},
            {"$and": [CODE, error, later]},
        ]
    }
    two_fields = {"$or": [CODE], "severity": {"$in": ["Error"]}}
    assert asked.where([SINCE, two_fields]) == {
        "$or": [{"$and": [SINCE, two_fields, it]} for it in (same_time, later)]
    }


def test_without_a_cursor_all_conditions_are_met_and_without_any_all_rows_are_found() -> None:
    assert PageRequest("at").where([CODE, {}, BOTH]) == {"$and": [CODE, BOTH]}
    assert PageRequest("at").where([{}]) == {}
