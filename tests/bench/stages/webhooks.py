"""Webhooks of a stack that go to a sink of the benchmark's, which costs the machine little."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.environment import Environment
from bench.load.actions import actions
from bench.load.webhook_sink import WebhookSink, webhook_sink
from support.stack.wait import until

ACTIONS_TOPIC: Final = "orders.actions"
RELOAD_SECONDS: Final = 180.0
BETWEEN: Final = 0.5  # seconds between two actions that try whether the file was read


@contextmanager
def sink_of(environment: Environment) -> Iterator[WebhookSink]:
    """Have all webhooks of the action-trigger sent to a sink; yield it once some arrive."""
    environ = environment.processes["action-trigger"].environ()
    file = Path(environ["ORDERMILL_WEBHOOKS_FILE"])
    with webhook_sink() as sink:
        file.write_text(re.sub(r'url = ".*"', f'url = "{sink.url}"', file.read_text()))
        until(lambda: _reached(environment, sink), seconds=RELOAD_SECONDS, of="a webhook")
        environment.settle()
        yield sink


def _reached(environment: Environment, sink: WebhookSink) -> bool:
    environment.load.send(actions(1), ACTIONS_TOPIC)
    time.sleep(BETWEEN)  # the action-trigger reads its changed file within seconds
    return sink.received > 0
