"""Applies the webhooks file to the endpoint queues, at the start and whenever it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from action_trigger import log_events, metrics
from action_trigger.adapters.endpoint_config import (
    EndpointConfig,
    EndpointConfigError,
    parse_endpoints,
    read_config,
)
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.http_connections import HttpConnections
from action_trigger.adapters.http_sender import HttpSender
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.endpoint_queue import EndpointQueue
from order_runtime.documents.instances import WEBHOOKS_FILE_REFUSED
from order_runtime.observability.conditions import CONDITIONS
from order_runtime.process.logs import log

POLL_SECONDS: Final = 2.0


class EndpointReload:
    """
    There is a queue for each name that an endpoint can have, so that a change of the file replaces
    what queues send and how, but no queue: deliveries in memory stay where they are.
    """

    def __init__(
        self,
        queues: Sequence[EndpointQueue],
        sessions: Mapping[bool, HttpConnections],
        leases: PartitionLeases,
        endpoint_states: EndpointStates,
    ) -> None:
        self._queues = queues
        self._sessions = sessions
        """By whether they may connect to private addresses."""
        self._leases = leases
        self._endpoint_states = endpoint_states

    async def use(self, config: EndpointConfig) -> None:
        http = self._sessions[config.allow_private_addresses]
        routes = {route.name: route for route in config.routes}
        self._leases.longest = config.longest_timeout
        for queue in self._queues:
            route = routes.get(queue.name)
            if route:
                queue.configure(HttpSender(http, route.endpoint), route.actions)
            else:
                queue.configure(None, ())
        await self._endpoint_states.declare(config)

    async def follow(self, path: Path, text: str, stop: asyncio.Event) -> None:
        """
        Until *stop*, use the file whenever its content is no longer *text*, the one in use.

        A file that is invalid is logged once, and the previous content stays in use.
        """
        reason_logged = ""
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await stop.wait()
            reason = ""
            try:
                text = await self._apply(path, text)
            except EndpointConfigError as error:
                reason = str(error)
                if reason != reason_logged:
                    log().error(log_events.WEBHOOKS_FILE_REFUSED, reason=reason)
                    CONDITIONS.begins(WEBHOOKS_FILE_REFUSED, detail=reason)
            else:
                CONDITIONS.ends(WEBHOOKS_FILE_REFUSED)
            reason_logged = reason
            metrics.FILE_REFUSED.set(bool(reason))

    async def _apply(self, path: Path, used: str) -> str:
        """Use the file if it differs from *used*; return its content."""
        text = read_config(path)
        if text != used:
            await self.use(parse_endpoints(text))
            log().info(log_events.WEBHOOKS_FILE_READ_AGAIN)
        return text
