"""Which numbers of a message were rounded: found after the fact, counted, and listed in bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

from pydantic.alias_generators import to_camel

from order_contracts.base import Message
from order_contracts.errors import MAX_LISTED, short_pointer
from order_contracts.job import JobWarning

ROUNDED: Final = "Rounded"
_MAX_TEXT: Final = 256 * 1024  # characters, of 100 pointers whose names are cut
Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Roundings:
    """How many numbers were rounded, and the JSON pointers of the first 100."""

    count: int = 0
    pointers: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the count and the pointers as a JSON array, for a header."""
        return json.dumps([self.count, *self.pointers], ensure_ascii=False, separators=(",", ":"))

    def warnings(self) -> tuple[JobWarning, ...]:
        """Return a warning for each pointer, and one more that counts where not all are listed."""
        message = "Has more digits than are kept; it was rounded."
        listed = [JobWarning(code=ROUNDED, message=message, reference=it) for it in self.pointers]
        if self.count > len(listed):
            total = f"{self.count:,} numbers were rounded in all."
            listed.append(JobWarning(code=ROUNDED, message=total))
        return tuple(listed)


NONE_ROUNDED: Final = Roundings()


@dataclass(slots=True)
class RoundedNumbers:
    """What a reader is to tell of the numbers that it rounded."""

    found: Roundings = NONE_ROUNDED


def roundings_in(text: str) -> Roundings:
    """Return what `to_text` wrote; none where the text is anything else."""
    try:
        given = json.loads(text) if 0 < len(text) <= _MAX_TEXT else None
    except (ValueError, RecursionError):
        return NONE_ROUNDED
    if not isinstance(given, list) or not given:
        return NONE_ROUNDED
    count, *pointers = given
    good = isinstance(count, int) and all(isinstance(it, str) for it in pointers)
    if not good or not len(pointers) <= min(count, MAX_LISTED):
        return NONE_ROUNDED
    return Roundings(count, tuple(pointers))


def roundings(message: Message, given: object) -> Roundings:
    """Return which numbers of *message* differ from those in the JSON that it was read from."""
    return _listed(_differing(message, given, ()))


def _listed(locations: Iterable[Location]) -> Roundings:
    left = iter(locations)
    pointers = tuple(map(short_pointer, islice(left, MAX_LISTED)))
    return Roundings(len(pointers) + sum(1 for _ in left), pointers)


def _differing(kept: object, given: object, at: Location) -> Iterator[Location]:
    if isinstance(kept, Decimal):
        # A negative quantity of a Return line is kept without its sign: that isn't rounding.
        if isinstance(given, int | str | Decimal) and abs(kept) != abs(Decimal(given)):
            yield at
        return
    for part, one, other in _parts(kept, given):
        yield from _differing(one, other, (*at, part))


def _parts(kept: object, given: object) -> Iterator[tuple[str | int, object, object]]:
    """Yield name or place of each part, and the part itself: as it is kept and as it was given."""
    if isinstance(kept, Message) and isinstance(given, Mapping):
        for name in type(kept).model_fields:
            alias = to_camel(name)
            yield alias, getattr(kept, name), given.get(alias)
    elif isinstance(kept, Mapping) and isinstance(given, Mapping):
        yield from ((name, item, given.get(name)) for name, item in kept.items())
    elif isinstance(kept, tuple) and isinstance(given, list):
        # Of a list of ours nulls are left out; a free one keeps them.
        places = [place for place, item in enumerate(given) if item is not None]
        yield from ((at, item, given[at]) for at, item in zip(places, kept, strict=True))
    elif isinstance(kept, list) and isinstance(given, list):
        yield from zip(range(len(given)), kept, given, strict=True)
