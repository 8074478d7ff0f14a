"""Gives each hand its endpoint: at the start, and whenever the webhooks file changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import ClientSession

from action_trigger import metrics
from action_trigger.adapters.endpoint_config import (
    EndpointConfig,
    EndpointConfigError,
    parse_endpoints,
    read_config,
)
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.http_sender import HttpSender
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.endpoint_queue import EndpointQueue
from order_runtime.process.logs import log

LOOK: Final = 2.0  # seconds between two looks


class EndpointReload:
    """
    There is a hand for each name that an endpoint can have, so that a change of the file only
    changes what hands do, never which there are: nothing that is in flight changes hands.
    """

    def __init__(
        self,
        queues: Sequence[EndpointQueue],
        sessions: Mapping[bool, ClientSession],
        leases: PartitionLeases,
        endpoint_states: EndpointStates,
    ) -> None:
        self._queues = queues
        self._sessions = sessions
        """By whether private addresses are allowed."""
        self._leases = leases
        self._endpoint_states = endpoint_states

    async def use(self, config: EndpointConfig) -> None:
        http = self._sessions[config.allow_private_addresses]
        routes = {route.name: route for route in config.routes}
        self._leases.longest = config.longest_timeout
        for queue in self._queues:
            route = routes.get(queue.name)
            queue.use(
                HttpSender(http, route.endpoint) if route else None, route.actions if route else ()
            )
        await self._endpoint_states.declare(config)

    async def follow(self, path: Path, text: str, stop: asyncio.Event) -> None:
        """
        Until *stop*, use what the file says whenever it no longer is *text*.

        A file that can't be used is told of once, and what was read before goes on.
        """
        refused = ""
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await stop.wait()
            try:
                found = read_config(path)
                if found != text:
                    await self.use(parse_endpoints(found))
                    log().info("webhooks file read again")
                text, why = found, ""
            except EndpointConfigError as error:
                why = str(error)
            if why and why != refused:
                log().error("webhooks file refused", reason=why)
            refused = why
            metrics.FILE_REFUSED.set(bool(why))
