"""Calls of a client library that end the process: no source makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("schemas", "libs", "services", "deploy", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)
]
TRAPS = {
    # librdkafka 2.16, rd_kafka_handle_OffsetFetch: NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS
    # in the answer is handed to the consumer group of the client, which an AdminClient hasn't.
    ".list_consumer_group_offsets(": "order_runtime.kafka.offsets.committed_offsets",
}


@pytest.mark.parametrize("call", TRAPS)
def test_no_source_makes_a_call_that_may_end_the_process(call: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in SOURCES if call in path.read_text()]

    assert not found, f"use {TRAPS[call]} instead"
