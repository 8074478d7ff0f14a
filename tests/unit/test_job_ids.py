"""A job id proves by itself that this system issued it, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_contracts.derived_ids import JOB_ID, action_id, derived, event_id, version_tag
from order_runtime.auth.job_ids import LAST_MILLISECOND, RANDOM_BITS, JobIdSecrets, issue_job_id

NEW, OLD, FOREIGN = b"n" * 32, b"o" * 32, b"f" * 32
MILLISECONDS = 1_764_324_000_123
JOB = issue_job_id(MILLISECONDS, 1, NEW)


@given(st.integers(0, LAST_MILLISECOND), st.integers(0, 2**RANDOM_BITS - 1))
def test_what_was_issued_tells_when(milliseconds: int, random: int) -> None:
    job_id = issue_job_id(milliseconds, random, NEW)
    issued_at = JobIdSecrets([NEW]).issued_at(job_id)
    assert issued_at is not None
    assert round(issued_at.timestamp() * 1000) == milliseconds
    assert (UUID(job_id).version, JOB_ID.fullmatch(job_id) is not None) == (8, True)


def test_ids_of_one_millisecond_differ_by_their_random_bits() -> None:
    assert len({issue_job_id(MILLISECONDS, random, NEW) for random in range(1000)}) == 1000


def test_ids_sort_by_time() -> None:
    """New jobs are neighbours in the index."""
    ids = [issue_job_id(MILLISECONDS + n, 2**RANDOM_BITS - 1 - n, NEW) for n in range(100)]
    assert sorted(ids) == ids


def test_an_old_secret_still_verifies() -> None:
    """Rotation: the first issues, the others verify what was issued before."""
    secrets = JobIdSecrets([NEW, OLD])
    assert secrets.issued_at(issue_job_id(MILLISECONDS, 1, OLD)) == datetime(
        2025, 11, 28, 10, 0, 0, 123_000, tzinfo=UTC
    )


def test_an_id_of_another_system_was_never_issued() -> None:
    assert JobIdSecrets([NEW]).issued_at(issue_job_id(MILLISECONDS, 1, FOREIGN)) is None


def test_without_a_secret_nothing_was_issued() -> None:
    assert JobIdSecrets([]).issued_at(JOB) is None


@given(st.integers(0, 127))
def test_an_id_with_one_bit_flipped_was_never_issued(bit: int) -> None:
    forged = str(UUID(int=UUID(JOB).int ^ (1 << bit)))
    assert JobIdSecrets([NEW]).issued_at(forged) is None


@pytest.mark.parametrize(
    "spelt",
    [
        JOB.upper(),
        JOB.replace("-", ""),
        f"{{{JOB}}}",
        f"urn:uuid:{JOB}",
        f"{JOB} ",
        "",
        "a",
        "0" * 255,
        "0198a9c2-1f00-4abc-9def-0123456789ab",
        str(UUID(int=2**128 - 1)),
    ],
)
def test_an_id_has_one_spelling(spelt: str) -> None:
    """Others would be other jobs in the ledger."""
    assert JobIdSecrets([NEW]).issued_at(spelt) is None


def test_a_time_beyond_all_calendars_was_never_issued() -> None:
    assert JobIdSecrets([NEW]).issued_at(issue_job_id(LAST_MILLISECOND + 1, 0, NEW)) is None


def test_what_is_derived_is_delimited() -> None:
    """No two lists of parts have one id."""
    assert len({derived("a", "b"), derived("ab"), derived("a:b"), derived("", "ab")}) == 4


def test_derived_ids_never_change() -> None:
    """A repeat in a later release must repeat them."""
    assert derived("a", 1) == "b36a7616-9a65-5f1f-ae22-a8aa17cda1c9"
    assert version_tag("job-1") == "Amq2OcId+KqA5XiTcKnbGw=="
    assert len({action_id("a"), event_id("a", "b"), derived("a")}) == 3
