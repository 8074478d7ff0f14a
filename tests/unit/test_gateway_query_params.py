"""Query parameters: an unknown, repeated or malformed one is refused with a pointer to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.domain.query_params import choice_in, invalid_parameter, refuse_unknown, time_in
from order_contracts.decoding import Invalid
from order_contracts.integration_log import SEVERITIES
from order_contracts.job import JobStatus

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)


def errors(refused: pytest.ExceptionInfo[Invalid]) -> list[tuple[str, str, str]]:
    return [(error.pointer, error.code, error.message) for error in refused.value.errors]


def test_an_error_points_to_its_parameter() -> None:
    [error] = invalid_parameter("count", "Must be less").errors
    assert (error.pointer, error.code, error.message) == ("/count", "Invalid", "Must be less")


def test_parameters_that_are_known_and_come_once_pass() -> None:
    refuse_unknown(["since", "count"], ["count", "since", "status"])
    refuse_unknown([], [])


def test_unknown_and_repeated_parameters_are_refused_all_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        refuse_unknown(["since", "cuont", "since", "count", "x", "x"], ["since", "count"])
    assert errors(refused) == [
        ("/cuont", "Unknown", "Is not a parameter of this call"),
        ("/x", "Unknown", "Is not a parameter of this call"),
        ("/since", "Repeated", "Must be given once"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-28T10:00:00Z",
        "2025-11-28T11:00:00+01:00",
        "2025-11-28T11:00:00 01:00",  # a + that the client did not escape
        " 2025-11-28T10:00:00Z ",
    ],
)
def test_a_time_has_an_offset(text: str) -> None:
    assert time_in({"since": text}, "since") == AT


def test_a_time_keeps_its_instant_in_any_zone() -> None:
    zone = timezone(timedelta(hours=-5))
    assert time_in({"since": AT.astimezone(zone).isoformat()}, "since") == AT


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2025-11-28", "2025-11-28T10:00:00", "1764324000"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        time_in({"since": text}, "since")
    assert errors(refused) == [("/since", "Invalid", "Must be an RFC 3339 time with an offset")]


def test_what_is_not_in_the_query_is_none() -> None:
    assert time_in({"other": "x"}, "since") is None
    assert choice_in({"other": "x"}, "status", JobStatus) is None


@pytest.mark.parametrize(
    "text", ["CompletedWithErrors", "completedwitherrors", "COMPLETEDWITHERRORS"]
)
def test_a_choice_is_read_in_any_case_and_returned_in_one(text: str) -> None:
    found = choice_in({"status": text}, "status", JobStatus)
    assert found is JobStatus.COMPLETED_WITH_ERRORS
    assert choice_in({"severity": "error"}, "severity", SEVERITIES) == "Error"


@pytest.mark.parametrize("text", ["", "Done", "Complete", "Failed "])
def test_what_is_no_choice_is_refused_with_all_choices(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        choice_in({"status": text}, "status", JobStatus)
    message = "Must be one of Accepted, Completed, CompletedWithErrors, Failed"
    assert errors(refused) == [("/status", "Invalid", message)]
