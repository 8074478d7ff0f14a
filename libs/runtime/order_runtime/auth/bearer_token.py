"""A bearer token that is read again when its file changes."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Final

from order_runtime.observability.secret_ages import note_secret
from order_runtime.process.connection_settings import PREFIX
from order_runtime.process.log_events import METRICS_TOKEN_NOT_READ
from order_runtime.process.logs import log
from order_runtime.process.secret_files import SecretFileError, read_secret
from order_runtime.process.watched_files import WatchedFiles

METRICS_TOKEN: Final = f"{PREFIX}METRICS_TOKEN"


class BearerToken:
    """The token that /metrics asks for; an empty one admits everybody."""

    def __init__(self, token: str, path: Path | None = None) -> None:
        """Take the token, and the file that it was read from."""
        self._token, self._path = token, path
        self._file = WatchedFiles(path) if path else None

    def admits(self, authorization: str) -> bool:
        """Return whether the value of an Authorization header holds the token, in constant time."""
        self._refresh()
        scheme, _, given = authorization.partition(" ")
        # A header's bytes are latin-1 to http.server.
        same = hmac.compare_digest(given.strip().encode("latin-1"), self._token.encode())
        return not self._token or (same and scheme.lower() == "bearer")

    def _refresh(self) -> None:
        """Read a changed file; a broken one changes nothing, and is logged."""
        if self._path is None or self._file is None or not self._file.changed():
            return
        try:
            self._token = read_secret(self._path)
            note_secret(METRICS_TOKEN, self._path)
        except SecretFileError as error:
            log().error(METRICS_TOKEN_NOT_READ, reason=str(error))
