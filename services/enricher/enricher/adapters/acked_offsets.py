"""
Faust's consumer: what it commits of compacted topics with gaps, and what it doesn't read for now.

By itself, Faust lists every offset of a gap before it commits past it: a topic that was compacted
for years takes memory by the records that it once had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from faust.transport.drivers import aiokafka as driver

_KNOWN: Final = ("_add_gap", "_new_offset", "_getmany")
"""By which Faust notes gaps, finds what to commit, and reads."""
PAUSED_SECONDS: Final = 0.5  # before it is asked again whether anything is to be read


class Span(NamedTuple):
    """Offsets from `begin` up to, and without, `end`."""

    begin: int
    end: int


def contiguous_end(spans: Iterable[Span], committed: int | None) -> int | None:
    """
    Return the end of the first offsets that have no hole, None where they don't follow *committed*.

    *spans* are in the order of their beginnings.
    """
    end: int | None = None
    for span in spans:
        if end is None:
            if committed and span.begin - committed > 1:
                return None
            end = span.end
        elif span.begin > end:
            break
        else:
            end = max(end, span.end)
    return end


class GapConsumer(driver.Consumer):  # type: ignore[misc]  # Faust's types are incomplete
    """
    Faust's consumer, which notes a gap as two numbers.

    A gap counts as acknowledged once a later record is. What is committed is the same.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        if not all(hasattr(driver.Consumer, name) for name in _KNOWN):
            raise AssertionError("Faust reads or commits in another way than is known here")
        super().__init__(*args, **options)
        self.paused_topic: Callable[[str], bool] = lambda _: False
        self._gap = defaultdict[Any, list[Span]](list)  # Faust forgets a revoked partition's

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109
        """Read from *active_partitions*, but for those of topics that are paused."""
        topics = {it.topic for it in active_partitions}
        if not (paused := {it for it in topics if self.paused_topic(it)}):
            return await super()._getmany(active_partitions, timeout)
        if paused == topics:
            await self.sleep(PAUSED_SECONDS)
            return {}
        read = {it for it in active_partitions if it.topic not in paused}
        return await super()._getmany(read, timeout)

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        """Note that *tp* has no record between *offset_from* and *offset_to*, which is one."""
        begin = max(offset_from, (self._committed_offset[tp] or 0) + 1)
        if begin < offset_to:
            self._gap[tp].append(Span(begin, offset_to))

    def _new_offset(self, tp: Any) -> int | None:
        """Return the offset to commit next, and forget what is below it; None for no news."""
        acked = self._acked[tp]
        if not acked:
            return None
        noted, latest = self._gap[tp], max(acked)
        passed = [gap for gap in noted if gap.begin < latest]
        spans = sorted([*passed, *(Span(offset, offset + 1) for offset in acked)])
        end = contiguous_end(spans, self._committed_offset[tp])
        if end is not None:
            self._acked_index[tp].difference_update(it for it in acked if it < end)
            acked[:] = [offset for offset in acked if offset >= end]
            self._gap[tp] = [gap for gap in noted if gap.end > end]
        return end
