"""What the order-writer says when it must not go on."""

from __future__ import annotations

import pytest

from order_runtime.process.errors import UnrecoverableError
from order_writer.__main__ import topic_info
from order_writer.domain.batch import fold
from order_writer.domain.decode import decode
from order_writer.settings import Settings
from support.builders.gateway_records import OWN_TOPIC, claimed, issued_id, own


def test_a_release_that_cannot_read_its_own_commands_says_so_and_names_the_job() -> None:
    """The sentence is for the operator, who rolls back; the job is what a client waits for."""
    with pytest.raises(UnrecoverableError) as stopped:
        fold([decode(own(b"{"), OWN_TOPIC)], {}, {})

    sentence = "This release can't read a command that our gateway accepted; it stops."
    assert str(stopped.value) == sentence
    assert stopped.value.facts["detail"].startswith(f"{issued_id()}: ")


@pytest.mark.parametrize(("secrets", "known"), [("n" * 32 + "," + "s" * 32, True), ("", False)])
def test_an_order_writer_knows_the_gateways_by_their_secrets(secrets: str, *, known: bool) -> None:
    """An old one too; with none it takes every record for anybody's."""
    settings = Settings(
        kafka="", mongo="localhost", instance="", health_port=1, job_secrets=secrets
    )
    reads = topic_info(settings, "topic-1", 12)
    assert reads.signed(own(b"{")) == known
    assert reads.issued(issued_id()) == known
    assert not reads.signed(claimed(b"{"))
