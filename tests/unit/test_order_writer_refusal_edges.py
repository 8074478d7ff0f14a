"""What the order-writer says when it must not go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.topics import GATEWAY
from order_runtime.process.errors import UnrecoverableError
from order_writer.domain.batch import fold
from order_writer.domain.decode import decode
from support.builders.commands import TOPIC_INFO, raw_record


def test_a_release_that_cannot_read_its_own_commands_says_so_and_names_the_job() -> None:
    """The sentence is for the operator, who rolls back; the job is what a client waits for."""
    sent = raw_record(b"{", job_id="job-1")
    headers = dict(sent.headers) | {"ce_source": f"/{GATEWAY}".encode()}
    ours = replace(TOPIC_INFO, issued=lambda _: True)
    item = decode(replace(sent, headers=tuple(headers.items())), ours)

    with pytest.raises(UnrecoverableError) as stopped:
        fold([item], {}, {})

    sentence = "This release can't read a command that our gateway accepted; it stops."
    assert str(stopped.value) == sentence
    assert stopped.value.facts["detail"].startswith("job-1: ")
