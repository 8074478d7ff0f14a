"""The items of a JSON array as bytes, found without parsing them. Pure."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Final

from order_contracts.decoding import Invalid
from order_contracts.errors import FieldError

PAUSE_EVERY: Final = 2_000  # brackets, after which the caller may do something else
MAX_DEPTH: Final = 201  # of what is parsed
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_SCALAR: Final = re.compile(_STRING + rb'|[^][{}", \t\r\n]++', re.DOTALL)
_TO_BRACKET: Final = re.compile(rb"(?:[^][{}\"]++|" + _STRING + rb")*+([][{}])", re.DOTALL)


def array_items(content: bytes) -> Iterator[bytes | None]:
    """
    Yield the items of an array in their order, and None now and then to let the caller pause.

    Raises Invalid where *content* is no array; whether an item is JSON is told by parsing it. So
    nothing is built of an array with a million items before they are counted.
    """
    at = _after_space(content, 0)
    if content[at : at + 1] != b"[":
        raise Invalid((FieldError(pointer="", code="Invalid", message="Must be an array"),))
    at = _after_space(content, at + 1)
    closed = content[at : at + 1] == b"]"
    while not closed:
        end = yield from _item_end(content, at)
        yield content[at:end]
        at = _after_space(content, end)
        closed = content[at : at + 1] == b"]"
        if not closed:
            if content[at : at + 1] != b",":
                raise _malformed("a comma or the end of the array is missing")
            at = _after_space(content, at + 1)
    if _after_space(content, at + 1) != len(content):
        raise _malformed("there is more behind the array")


def _item_end(content: bytes, at: int) -> Generator[None, None, int]:
    """Return where the item that begins at *at* ends; yields as `array_items` does."""
    if content[at : at + 1] not in {b"[", b"{"}:
        found = _SCALAR.match(content, at)
        if found is None:
            raise _malformed("an item is missing")
        return found.end()
    depth = brackets = 0
    while True:
        found = _TO_BRACKET.match(content, at)
        if found is None:
            raise _malformed("an item has no end")
        at = found.end()
        depth += 1 if found[1] in b"[{" else -1
        if not depth:
            return at
        if depth > MAX_DEPTH:
            raise _malformed(f"an item is deeper than {MAX_DEPTH} levels")
        brackets += 1
        if not brackets % PAUSE_EVERY:
            yield None


def _after_space(content: bytes, at: int) -> int:
    found = _SPACE.match(content, at)
    return found.end() if found else at


def _malformed(why: str) -> Invalid:
    return Invalid((FieldError(pointer="", code="Malformed", message=f"Is not JSON: {why}"),))
