"""The examples of docs/publishing-directly.md, run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from order_contracts.topics import COMMANDS
from order_runtime.kafka.partitioning import partition_of
from support.builders.bodies import order_body, unique
from support.builders.raw_records import register_record
from support.stack.api_client import ApiClient
from support.stack.doc_examples import PUBLISHING, blocks
from support.stack.kafka_records import publish_records
from support.stack.outcome_queries import log_codes
from support.stack.running_stack import RunningStack


@pytest.mark.parametrize(
    ("client", "order_id"), [("confluent-kafka", "py-1001"), ("aiokafka", "aio-1001")]
)
def test_an_example_publishes_an_order(
    stack: RunningStack, tmp_path: Path, client: str, order_id: str
) -> None:
    """
    It prints the id of a job that is then read over HTTP.
    """
    [example] = blocks(PUBLISHING, f"With {client}", "python")
    script = tmp_path / "publish.py"
    script.write_text(example)

    done = subprocess.run(
        [sys.executable, str(script), stack.kafka.servers],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    job_id = done.stdout.strip()
    job = ApiClient(stack).stored(job_id)
    assert (job["orderId"], job["versionTag"] is not None) == (order_id, True)
    assert "Misrouted" not in log_codes(stack, job_id)


def test_keys_beyond_ascii_are_placed_by_their_bytes(stack: RunningStack) -> None:
    """
    As librdkafka places them, so that none is told to be misrouted.
    """
    ids = [unique(prefix) for prefix in ("ordre-æøå", "注文", "😀", "é", "naïve-ß", "e\u0301")]

    places = publish_records(
        stack.kafka, [register_record(order_body(order_id)) for order_id in ids]
    )

    assert [partition for partition, _ in places] == [
        partition_of(order_id.encode(), COMMANDS.partitions) for order_id in ids
    ]
