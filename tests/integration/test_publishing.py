"""The examples of docs/publishing-directly.md, run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.api import Api
from support.docs import PUBLISHING, blocks
from support.events import log_codes
from support.stack import RunningStack


def test_the_confluent_kafka_example_publishes_an_order(
    stack: RunningStack, tmp_path: Path
) -> None:
    """
    It prints the id of a job that is then read over HTTP.
    """
    [example] = blocks(PUBLISHING, "With confluent-kafka", "python")
    script = tmp_path / "publish.py"
    script.write_text(example)

    done = subprocess.run(
        [sys.executable, str(script), stack.kafka],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    job_id = done.stdout.strip()
    job = Api(stack).stored(job_id)
    assert (job["orderId"], job["versionTag"] is not None) == ("py-1001", True)
    assert "Misrouted" not in log_codes(stack, job_id)
