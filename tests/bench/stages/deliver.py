"""Delivering an action: recorded, signed, sent as a webhook, and its outcome recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from bench.contender import OURS, Contender, Drain, Stage, ended
from bench.environment import Environment
from bench.load.actions import actions
from bench.load.webhook_sink import WebhookSink
from bench.peers.process import consumer_peer
from bench.peers.topics import create_topic
from bench.stages.webhooks import ACTIONS_TOPIC, sink_of
from support.stack.wait import until

COUNT: Final = 4_000
COUNT_ONE: Final = 1_500
START_SECONDS: Final = 180.0
PEERS: Final = {
    "httpx, one at a time": ("deliver_one", COUNT_ONE),
    "httpx, 32 at once": ("deliver_many", COUNT),
}


@contextmanager
def contenders(environment: Environment) -> Iterator[Sequence[Contender]]:
    with ExitStack() as stack, sink_of(environment) as sink:
        trigger = environment.processes["action-trigger"]
        announced = ended(environment.stack.kafka, "orders.deliveries")
        publish = partial(_publish, environment, ACTIONS_TOPIC)
        meter, count = environment.meter(trigger), environment.scaled(COUNT)
        ours = Drain(OURS, trigger, meter, publish, announced, count).contender()
        yield [ours, *(_peers(environment, stack, sink) if environment.peers else ())]


def _peers(environment: Environment, stack: ExitStack, sink: WebhookSink) -> Iterator[Contender]:
    for name, (module, count) in PEERS.items():
        topic = create_topic(environment, f"peer.{module}")
        settings = {"BENCH_TOPIC": topic, "BENCH_URL": sink.url}
        process = stack.enter_context(consumer_peer(environment, module, **settings))
        publish = partial(_publish, environment, topic)
        before = sink.received
        publish(1)
        until(lambda before=before: sink.received > before, seconds=START_SECONDS, of=name)  # type: ignore[misc]
        meter, scaled = environment.meter(process), environment.scaled(count)
        yield Drain(name, process, meter, publish, lambda: sink.received, scaled).contender()


def _publish(environment: Environment, topic: str, count: int) -> None:
    environment.load.send(actions(count), topic)


STAGE: Final = Stage(
    "deliver",
    "actions in Kafka until their webhooks are answered and announced",
    ("action-trigger",),
    contenders,
)
