"""Which commands of MongoDB's name the shard key: what has `_id` goes to one shard for each id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SHARD_KEY: Final = "_id"
_FILTERS: Final = ("filter", "query", "q")
_READS: Final = frozenset({"find", "aggregate", "count", "distinct"})
_AIMED: Final = frozenset({"$eq", "$in"})


@dataclass(frozen=True, slots=True, order=True)
class Scattered:
    """A kind of command that goes to all shards, by what it asks for."""

    collection: str
    kind: str
    """`read`, `update` or `remove`."""
    fields: str
    """The fields of its filter, sorted, with spaces between."""


def scattered(entries: list[dict[str, Any]]) -> Iterator[tuple[Scattered, str]]:
    """Yield the commands that don't name the shard key, each with the application that sent it."""
    for entry in entries:
        name = entry["ns"].partition(".")[2]
        where = _filter_of(entry)
        if name.startswith("system.") or where is None or _is_aimed(where):
            continue
        fields = " ".join(sorted(_fields(where)))
        yield Scattered(name, _kind(entry), fields), entry.get("appName", "")


def _kind(entry: Mapping[str, Any]) -> str:
    return entry["op"] if entry["op"] in {"update", "remove"} else "read"


def _filter_of(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the filter of a command; None of an insertion, and of the next page of a query."""
    if entry["op"] in {"insert", "getmore"}:
        return None
    command = entry["command"]
    if "pipeline" in command:
        first = command["pipeline"][0] if command["pipeline"] else {}
        return dict(first.get("$match", {}))
    for name in _FILTERS:
        if name in command:
            return dict(command[name])
    return {} if _READS & command.keys() else None


def _is_aimed(where: Mapping[str, Any]) -> bool:
    """Return whether a filter names the shard key by equality; of alternatives each must."""
    if "$or" in where:
        return all(map(_is_aimed, where["$or"])) or _is_aimed(_without(where, "$or"))
    if any(map(_is_aimed, where.get("$and", ()))):
        return True
    wanted = where.get(SHARD_KEY)
    if not isinstance(wanted, Mapping):
        return SHARD_KEY in where
    return not _AIMED.isdisjoint(wanted)


def _without(where: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {field: it for field, it in where.items() if field != name}


def _fields(where: Mapping[str, Any]) -> set[str]:
    inside = (it for name in ("$and", "$or") for it in where.get(name, ()))
    return {it for it in where if not it.startswith("$")}.union(*map(_fields, inside))
