"""What watching costs: the same work with metrics that are read and traces, and with neither."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from bench import unmetered
from bench.contender import OURS, Contender, Stage
from bench.environment import Environment
from bench.environment import environment as started
from bench.stages import accept, store
from support.harness.trace_collector import collecting

UNWATCHED: Final = "unwatched"
SAMPLE: Final = "0.01"
SCRAPE_SECONDS: Final = 5.0


@contextmanager
def accepting(environment: Environment) -> Iterator[Sequence[Contender]]:
    with _watched(environment, "gateway") as (watched, unwatched):
        endpoints = [accept.endpoint(watched, OURS), accept.endpoint(unwatched, UNWATCHED)]
        yield [it.contender() for it in endpoints]


@contextmanager
def storing(environment: Environment) -> Iterator[Sequence[Contender]]:
    with (
        _watched(environment, "order-writer") as (watched, unwatched),
        store.writer(watched, OURS) as one,
        store.writer(unwatched, UNWATCHED) as other,
    ):
        yield [one.contender(), other.contender()]


@contextmanager
def _watched(environment: Environment, service: str) -> Iterator[tuple[Environment, Environment]]:
    """Yield a stack that is watched, and one that isn't, of which only *service* runs."""
    with started(peers=False, scale=environment.scale) as other, collecting() as collector:
        other.stop_all_but({service})
        traces = {"TRACES": "otlp", "TRACES_URL": collector.url, "TRACES_SAMPLE": SAMPLE}
        watched = environment.restarted(
            service, **{f"ORDERMILL_{name}": value for name, value in traces.items()}
        )
        with _scraped(watched, service):
            yield watched, other.restarted(service, PYTHONPATH=_folder())


def _folder() -> str:
    return str(Path(unmetered.__path__[0]))


@contextmanager
def _scraped(environment: Environment, service: str) -> Iterator[None]:
    """Read the service's metrics as Prometheus does, until the end."""
    ended = threading.Event()
    url = f"{environment.stack.part(service)['url']}/metrics"

    def scrape() -> None:
        with httpx.Client() as client:
            while not ended.wait(SCRAPE_SECONDS):
                client.get(url).raise_for_status()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


STAGES: Final = (
    Stage("watched-accept", "POST /orders, watched and not", ("gateway",), accepting),
    Stage("watched-store", "commands stored, watched and not", ("order-writer",), storing),
)
