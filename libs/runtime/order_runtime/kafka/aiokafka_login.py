"""How aiokafka, and Faust by it, is let in: TLS contexts, and tokens of an OAuth server."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any, Final

import aiohttp
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError
from aiokafka.helpers import create_ssl_context

from order_runtime.kafka.address import KafkaAddress, Login, Mechanism, Security

TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
RENEWED_AT: Final = 0.8
"""The share of a token's life after which the next connection gets another one."""


def aiokafka_config(address: KafkaAddress) -> dict[str, Any]:
    """Return the arguments of a client of aiokafka that say where Kafka is; reads the files."""
    config: dict[str, Any] = {
        "bootstrap_servers": address.servers,
        "security_protocol": str(address.security),
    }
    if address.security is Security.PLAINTEXT:
        return config
    config["ssl_context"] = tls_context(address)
    if address.login is None:
        return config
    config["sasl_mechanism"] = str(address.login.mechanism)
    if address.login.mechanism is Mechanism.OAUTHBEARER:
        return config | {"sasl_oauth_token_provider": Tokens(address.login)}
    return config | {
        "sasl_plain_username": address.login.username,
        "sasl_plain_password": address.login.password,
    }


def tls_context(address: KafkaAddress) -> ssl.SSLContext:
    """Return the context of TLS, which checks the brokers' certificates and names."""
    found: ssl.SSLContext = create_ssl_context(
        cafile=address.ca_file, certfile=address.cert_file, keyfile=address.key_file
    )
    return found


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens of an OAuth server for a client's own credentials (RFC 6749, section 4.4)."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lock = asyncio.Lock()
        self._token, self._renewed_at = "", 0.0

    async def token(self) -> str:
        """Return a token that is still valid; raises KafkaConnectionError where none is given."""
        async with self._lock:
            if time.monotonic() >= self._renewed_at:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        asked = time.monotonic()
        try:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
                given = await self._ask(session)
            self._token, seconds = str(given["access_token"]), float(given.get("expires_in", 300))
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            status = getattr(error, "status", None)
            reason = f"HTTP {status}" if status else type(error).__name__
            raise KafkaConnectionError(f"The OAuth server gave no token: {reason}.") from None
        self._renewed_at = asked + seconds * RENEWED_AT

    async def _ask(self, session: aiohttp.ClientSession) -> Any:
        credentials = aiohttp.BasicAuth(self._login.client_id, self._login.client_secret)
        async with session.post(
            self._login.token_url,
            data={"grant_type": "client_credentials"},
            auth=credentials,
            raise_for_status=True,
            allow_redirects=False,
        ) as response:
            return await response.json()
