"""Indexes as data: as this release wants them, and as MongoDB tells what it has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Index:
    """An index; queries name it as their hint, so its name is part of what is wanted."""

    name: str
    keys: tuple[tuple[str, Any], ...]
    """Fields in their order, each with 1 for ascending or -1."""
    unique: bool = False
    sparse: bool = False
    partial: Mapping[str, Any] | None = None
    """The filter of the documents that it holds; None for all."""
    ttl_seconds: int | None = None
    """How long after the time in its field a document is deleted; None for never."""

    def same_shape(self, other: Index) -> bool:
        """Return whether both hold the same documents in the same order; TTLs may differ."""
        return self._shape() == other._shape()

    def _shape(self) -> tuple[Any, ...]:
        return (self.keys, self.unique, self.sparse, self.partial)


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """An index that the database has, or is building."""

    index: Index
    built: bool
    """False while MongoDB is still building it: no query can use it yet."""


def index(
    *fields: str,
    name: str | None = None,
    unique: bool = False,
    sparse: bool = False,
    partial: Mapping[str, Any] | None = None,
    ttl_seconds: int | None = None,
) -> Index:
    """
    Return an index on *fields*, of which those that begin with `-` descend.

    Without a *name* it gets the one that MongoDB would give it.
    """
    keys = tuple((field.removeprefix("-"), -1 if field.startswith("-") else 1) for field in fields)
    default = "_".join(f"{field}_{direction}" for field, direction in keys)
    return Index(name or default, keys, unique, sparse, partial, ttl_seconds)


def found_index(entry: Mapping[str, Any]) -> FoundIndex:
    """Return an index from an item of `listIndexes` with `includeIndexBuildInfo`."""
    spec = entry.get("spec", entry)
    ttl = spec.get("expireAfterSeconds")
    found = Index(
        name=spec["name"],
        keys=tuple(spec["key"].items()),
        unique=bool(spec.get("unique", False)),
        sparse=bool(spec.get("sparse", False)),
        partial=spec.get("partialFilterExpression"),
        ttl_seconds=None if ttl is None else int(ttl),
    )
    return FoundIndex(found, built="indexBuildInfo" not in entry)


def index_spec(wanted: Index) -> dict[str, Any]:
    """Return what `createIndexes` takes."""
    options = {
        "unique": wanted.unique or None,
        "sparse": wanted.sparse or None,
        "partialFilterExpression": wanted.partial,
        "expireAfterSeconds": wanted.ttl_seconds,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return {"name": wanted.name, "key": dict(wanted.keys), **given}
