"""Messages as responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from order_contracts.base import Message

RETRY_SOON: Final[Mapping[str, str]] = {"Retry-After": "1"}


def json_response(
    message: Message, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *message* as JSON."""
    return Response(message.to_json(), status, headers, media_type="application/json")
