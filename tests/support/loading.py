"""The steady load, in a thread of its own while the body does something else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from support.scene import Scene
from support.traffic import traffic

SECONDS_TO_END = 180.0  # callers wait for their answers, publishers for acknowledgements


@contextmanager
def loaded(scene: Scene) -> Iterator[None]:
    """Load all gateways and Kafka while the body runs; fails if the load itself did."""
    enough = asyncio.Event()
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(loop.run_until_complete, _load(scene, enough))
        try:
            yield
        finally:
            loop.call_soon_threadsafe(enough.set)
            running.result(SECONDS_TO_END)
            loop.close()


async def _load(scene: Scene, enough: asyncio.Event) -> None:
    stack = scene.stack
    load = asyncio.create_task(
        traffic(stack.gateways, stack.apikey, stack.kafka, scene.mix, scene.journal)
    )
    ended = asyncio.create_task(enough.wait())
    await asyncio.wait((load, ended), return_when=asyncio.FIRST_COMPLETED)
    load.cancel()
    ended.cancel()
    with suppress(asyncio.CancelledError):
        await load
