"""uvicorn's configuration, with the limits of connections and what they share."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn

from gateway.http.certificate import Certificate
from gateway.http.connection_limits import ConnectionLimits
from gateway.http.reading_pace import ReadingPace


class ServerConfig(uvicorn.Config):
    def __init__(
        self,
        app: Any,
        protocol: type[asyncio.Protocol],
        limits: ConnectionLimits,
        certificate: Certificate | None,
        **settings: Any,
    ) -> None:
        super().__init__(app, http=protocol, **settings)
        self.limits = limits
        self.certificate = certificate
        """What connections speak TLS with; uvicorn itself knows of none."""
        self.pace = ReadingPace()
