"""Contacts that change during the load: they arrive, are erased, or are merged into another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random

from support.builders.bodies import Json, contact_body, matching, unique
from support.stack.running_stack import RunningStack

ContactChange = tuple[str, Json | None]
"""A contactId with the contact's next value; None for a tombstone."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Two contacts that exist, share an e-mail, and become one."""

    loser: Json
    survivor: Json
    erased: bool = False
    """Whether the survivor is erased in the end."""

    @property
    def changes(self) -> list[ContactChange]:
        loser, survivor = self.loser["contactId"], self.survivor["contactId"]
        merged: list[ContactChange] = [
            (loser, self.loser | {"mergedInto": survivor}),
            (loser, None),
        ]
        return [*merged, (survivor, None)] if self.erased else merged


@dataclass(frozen=True, slots=True)
class ContactChanges:
    """Bodies of the contacts that change during a load."""

    arriving: Sequence[Json] = ()
    """They are published during the load."""
    erased: Sequence[Json] = ()
    """They exist and are erased during the load."""
    namesakes: Sequence[Json] = ()
    """They exist all the while, each with the e-mail of one that is erased."""
    merges: Sequence[Merge] = ()

    @property
    def existing(self) -> Iterator[Json]:
        """The contacts that exist before the load."""
        yield from (*self.erased, *self.namesakes)
        for it in self.merges:
            yield from (it.loser, it.survivor)

    @property
    def count(self) -> int:
        return len(self.arriving) + len(self.erased) + sum(len(it.changes) for it in self.merges)

    def in_random_order(self, seed: int) -> Iterator[ContactChange]:
        """Yield all changes; those of one merge keep their order."""
        single: list[ContactChange] = [
            *((it["contactId"], it) for it in self.arriving),
            *((it["contactId"], None) for it in self.erased),
        ]
        stories = [*([it] for it in single), *(it.changes for it in self.merges)]
        turns = [number for number, story in enumerate(stories) for _ in story]
        left = [iter(story) for story in stories]
        for number in Random(seed).sample(turns, len(turns)):
            yield next(left[number])

    @property
    def order_contacts(self) -> list[Json]:
        """The `contact` of orders that name these contacts, by varying keys."""
        keys = cycle(("ContactId", "Email", "MemberNumber"))
        return [
            *(matching(it, next(keys)) for it in (*self.arriving, *self.erased)),
            *(matching(it, "Email") for it in self.namesakes),
            *(matching(it.loser) for it in self.merges),
            *(matching(it.survivor) for it in self.merges),
            *(matching(it.loser, "Email") for it in self.merges),
        ]


def contact_changes(each: int, merges: int = 0) -> ContactChanges:
    """
    Return *each* contacts that arrive and that are erased, and *merges* pairs that become one.

    Every third erased contact shares its e-mail with one that stays, every sixth with two. Every
    other survivor of a merge is erased.
    """
    erased = [_with_own_email() for _ in range(each)]
    pairs = ((_with_own_email(), number % 2 == 1) for number in range(merges))
    return ContactChanges(
        arriving=[contact_body() for _ in range(each)],
        erased=erased,
        namesakes=[contact_body(email=it["email"]) for it in (*erased[::3], *erased[::6])],
        merges=[
            Merge(contact_body(email=survivor["email"]), survivor, gone) for survivor, gone in pairs
        ],
    )


def _with_own_email() -> Json:
    """Return a contact whose e-mail doesn't hold its id: another one may have the same."""
    return contact_body(email=f"{unique('shared')}@example.com")


def load_contacts(
    stack: RunningStack, folder: Path, count: int, changes: ContactChanges
) -> list[Json]:
    """
    Load *count* contacts that stay, and those of *changes* that exist before the load.

    Returns the `contact` of orders of those that stay.
    """
    known = [contact_body() for _ in range(count)]
    file = folder / "contacts.ndjson"
    file.write_text("".join(f"{json.dumps(it)}\n" for it in (*known, *changes.existing)))
    stack.orders("reference", "load", str(file))
    return [matching(it) for it in known]
