"""Reads one HTTP/1.1 response from bytes: the status counts, whatever comes behind it."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

MAX_LINE: Final = 8 * 1024
"""Bytes that are kept of a header line; a longer one is passed over."""
MAX_HEAD: Final = 1024 * 1024
"""Bytes of header lines after which no more are read."""
MAX_BODY: Final = 64 * 1024
"""Bytes of a body after which no more is read."""
MAX_INTERIM: Final = 16  # responses such as `100 Continue` before the real one
_STATUS: Final = re.compile(rb"[\r\n]*HTTP/([0-9](?:\.[0-9])?) +([1-9][0-9][0-9])(?=[ \t\r\n])")
_STATUS_BYTES: Final = 64  # within which the status is found, if there is one
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_CHUNK: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(;.*)?")
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})


class BadStatusLine(ValueError):
    """What was received doesn't begin as a response does."""


class _Next(Enum):
    STATUS = "status"
    FIELDS = "fields"
    BODY = "body"
    CHUNK_SIZE = "chunk size"
    CHUNK_END = "chunk end"
    TRAILERS = "trailers"


class ResponseReader:
    """
    Takes the bytes of a connection as they come, in bounded memory.

    From the moment that there is a `status` nothing can take it back: what can't be read after it
    only means that the connection isn't used again.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.fields: dict[str, str] = {}
        """The first value of each header field that could be read, by lower-case name."""
        self.body = bytearray()
        self.done = False
        """Whether nothing more is read: the response is complete, too large or broken."""
        self.reusable = False
        """Whether it is complete, and its connection free for the next request."""
        self._buffer = bytearray()
        self._next = _Next.STATUS
        self._head_bytes = self._interim = 0
        self._skipping = False
        self._in_phrase = False
        self._keeps_alive = self._well_formed = True
        self._left: int | None = None  # bytes of the body or chunk; None until the end

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises BadStatusLine."""
        self._buffer += data
        while not self.done and self._step():
            pass

    def end(self) -> None:
        """Take note that nothing more will come."""
        self.done, self.reusable = True, False

    def _step(self) -> bool:
        """Consume a part of the buffer; return whether there may be another one."""
        if self._next is _Next.STATUS:
            return self._read_status()
        if self._next is _Next.BODY:
            return self._read_body()
        line = self._line()
        if line is None:
            return False
        if self._next is _Next.FIELDS:
            self._read_field(line)
        elif self._next is _Next.CHUNK_SIZE:
            self._read_chunk_size(line)
        elif self._next is _Next.CHUNK_END:
            self._next = _Next.CHUNK_SIZE
            self._stop_unless(not line)
        elif not line:
            self._complete()
        return True

    def _read_status(self) -> bool:
        """Read the status as soon as it is there; the rest of its line is the first field's."""
        found = _STATUS.match(self._buffer)
        if found is None:
            if len(self._buffer) > _STATUS_BYTES or b"\n" in self._buffer.lstrip(b"\r\n"):
                raise BadStatusLine
            return False
        status = int(found[2])
        self._next = _Next.FIELDS
        self._keeps_alive = found[1] == b"1.1"
        if 100 <= status < 200 and status != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise BadStatusLine
        else:
            self.status = status
        # The phrase may be missing or of any length: it is a line that is no field.
        del self._buffer[: found.end()]
        self._in_phrase = True
        return True

    def _line(self) -> bytes | None:
        """Take a line without its end; None where it isn't complete, b":" where it was too long."""
        at = self._buffer.find(b"\n")
        taken = len(self._buffer) if at < 0 else at + 1
        self._head_bytes += taken if at >= 0 or taken > MAX_LINE else 0
        if self._head_bytes > MAX_HEAD:
            self.end()
        if at < 0:
            if len(self._buffer) > MAX_LINE:
                self._skipping = True
                self._buffer.clear()
            return None
        line = bytes(self._buffer[:at]).removesuffix(b"\r")
        del self._buffer[: at + 1]
        was_long, self._skipping = self._skipping or len(line) > MAX_LINE, False
        return b":" if was_long else line

    def _read_field(self, line: bytes) -> None:
        if self._in_phrase:
            self._in_phrase = False
            return
        if not line:
            self._end_of_fields()
            return
        found = _FIELD.fullmatch(line)
        if found is None:
            self._well_formed = self._well_formed and line == b":"
            return
        name, value = found[1].decode().lower(), found[2].decode("latin-1")
        if name in _FRAMING and self.fields.get(name, value) != value:
            self._well_formed = False
        self.fields.setdefault(name, value)

    def _end_of_fields(self) -> None:
        if self.status is None:
            self._next = _Next.STATUS
            self.fields.clear()
            return
        coding = self.fields.get("transfer-encoding", "").lower()
        length = self.fields.get("content-length")
        if "close" in self.fields.get("connection", "").lower() or self.status == 101:
            self._keeps_alive = False
        if self.status in {204, 304}:
            self._keeps_alive = self._keeps_alive and not coding and length in {None, "0"}
            self._complete()
        elif coding == "chunked" and length is None:
            self._next = _Next.CHUNK_SIZE
        else:
            self._next = _Next.BODY
            known = not coding and length is not None and length.isascii() and length.isdigit()
            self._left = int(length[:12]) if known and length else None
            if self._left == 0:
                self._complete()

    def _read_body(self) -> bool:
        """Take what there is of the body or of a chunk."""
        part = bytes(self._buffer if self._left is None else self._buffer[: self._left])
        del self._buffer[: len(part)]
        self.body += part
        if len(self.body) > MAX_BODY:
            self.end()
        if self._left is not None:
            self._left -= len(part)
            if not self._left:
                self._end_of_part()
                return True
        return False

    def _end_of_part(self) -> None:
        if "content-length" in self.fields:
            self._complete()
        else:
            self._next = _Next.CHUNK_END

    def _read_chunk_size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        self._stop_unless(found is not None)
        if found is not None:
            self._left = int(found[1], 16)
            self._next = _Next.BODY if self._left else _Next.TRAILERS

    def _stop_unless(self, well_formed: bool) -> None:
        if not well_formed:
            self.end()

    def _complete(self) -> None:
        self.done = True
        self.reusable = self._keeps_alive and self._well_formed and not self._buffer
