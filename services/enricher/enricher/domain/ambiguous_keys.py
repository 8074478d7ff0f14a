"""
Keys that so many contacts carry that no order gets its contact by them. Pure.

Thousands of contacts may share one (`none@none.example`), and thousands of orders wait for it. One
contact more, or less, changes nothing for any of them, so they need not be looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from enricher.domain.contact_matching import KnownContact

Carriers = frozenset[tuple[str | None, int]]
"""How many contacts of each type carry a key: MANY stands for any number from there on."""

MANY: Final = 2
MAX_KEYS: Final = 10_000


def carriers_by_type(candidates: Sequence[KnownContact]) -> Carriers:
    types = Counter(it.contact_type and it.contact_type.casefold() for it in candidates)
    return frozenset((name, min(count, MANY)) for name, count in types.items())


def are_ambiguous(carriers: Carriers) -> bool:
    """Return whether an order of whatever contact type finds several of *carriers*, or none."""
    counts = dict(carriers)
    of_any_type = counts.pop(None, 0)
    if of_any_type >= MANY:
        return True
    return of_any_type == 0 and bool(counts) and all(it >= MANY for it in counts.values())


class AmbiguousKeys:
    """
    The keys whose waiting orders were all looked at since they are ambiguous.

    Kept in memory: a worker that was started again looks at the orders of each once more.
    """

    def __init__(self) -> None:
        self._settled: dict[str, Carriers] = {}
        self._walks: dict[str, Mapping[str, Carriers]] = {}
        self._walked: dict[str, tuple[str, Carriers]] = {}
        """By key, the walk that looks at its orders, and who carried it when that began."""

    def settled(self, walk: str, carriers: Mapping[str, Carriers]) -> set[str]:
        """
        Return those of these keys whose orders *walk* need not look at.

        Looking at them again would change none, or another walk does so, among the same carriers.
        """
        return {key for key, it in carriers.items() if self._is_settled(walk, key, it)}

    def begin(self, walk: str, carriers: Mapping[str, Carriers]) -> None:
        """Note who carries the keys whose waiting orders *walk* is about to look at."""
        self._walks[walk] = carriers
        self._walked |= {key: (walk, it) for key, it in carriers.items() if are_ambiguous(it)}
        _forget_oldest(self._walks)
        _forget_oldest(self._walked)

    def end(self, walk: str, carriers: Mapping[str, Carriers]) -> None:
        """Note that *walk* has looked at all orders; the keys whose carriers are the same count."""
        began = self._walks.pop(walk, {})
        for key in began:
            if self._walked.get(key, ("", None))[0] == walk:
                del self._walked[key]
        for key, now in carriers.items():
            if are_ambiguous(now) and began.get(key) == now:
                self._settled[key] = now
            else:
                self._settled.pop(key, None)
        _forget_oldest(self._settled)

    def _is_settled(self, walk: str, key: str, carriers: Carriers) -> bool:
        other, among = self._walked.get(key, (walk, None))
        return self._settled.get(key) == carriers or (other != walk and among == carriers)


def _forget_oldest(noted: dict[str, Any]) -> None:
    while len(noted) > MAX_KEYS:
        del noted[next(iter(noted))]
