"""
What becomes of one order's link and actions while commands, events and contacts interleave.

A model of the contract for one orderId and one contact, which imports no service. The order-writer
stores, later the enricher handles the events in the same order, and the contact is seen at some
time between any two of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REGISTER, REPLACE, CANCEL, REOPEN, CHANGE, DELETE = (
    *("register", "replace", "cancel", "reopen"),
    *("change", "delete"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command that was applied; `action` is the name of the one it embeds."""

    kind: str
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The order as it is stored."""

    life: int
    connected: int
    cancelled_since: int | None


@dataclass
class Order:
    """What the enricher must come to; each step is told by one call."""

    window_is_open: bool = True
    standing: Standing | None = None
    asked: list[tuple[int, str]] = field(default_factory=list)
    """The actions that were embedded in commands, by the version that these made."""
    known: bool = False
    stored: list[tuple[Command, Standing | None]] = field(default_factory=list)
    handled: int = 0
    held: dict[int, Standing] = field(default_factory=dict)
    """Actions that wait, by version; each with the order that its command made."""
    ends: dict[int, str] = field(default_factory=dict)

    @property
    def linked(self) -> bool:
        """Whether the order has its contact in the end; all events handled."""
        return self.standing is not None and self.known

    def store(self, command: Command) -> None:
        version = len(self.stored) + 1
        before = self.standing
        if command.kind == DELETE:
            self.standing = None
        elif command.kind == REGISTER or before is None:
            self.standing = Standing(version, version, None)
        elif command.kind == REPLACE:
            self.standing = Standing(before.life, version, None)
        elif command.kind == CANCEL:
            since = before.cancelled_since or version
            self.standing = Standing(before.life, before.connected, since)
        elif command.kind == REOPEN:
            self.standing = Standing(before.life, before.connected, None)
        self.stored.append((command, self.standing))
        if command.action is not None:
            self.asked.append((version, command.action))

    def handle(self) -> None:
        """Handle the next event."""
        command, met = self.stored[self.handled]
        self.handled += 1
        version = self.handled
        if command.action is not None and met is not None:
            self._act(version, met)
        self._drop_outdated()

    def meet(self) -> None:
        """See the contact for the first time."""
        self._drop_outdated()
        self.known = True
        for version in self.held:
            self.ends[version] = "fired" if self.window_is_open else "dropped"
        self.held.clear()

    def _act(self, version: int, met: Standing) -> None:
        now = self.standing
        if now is None or now.life != met.life:
            self.ends[version] = "dropped"
        elif self.known:
            self.ends[version] = "fired"
        elif now.connected != met.connected:
            self.ends[version] = "dropped"
        else:
            self.held[version] = met

    def _drop_outdated(self) -> None:
        for version in [it for it, met in self.held.items() if self._outdated(it, met)]:
            del self.held[version]
            self.ends[version] = "dropped"

    def _outdated(self, version: int, met: Standing) -> bool:
        now = self.standing
        if now is None or now.connected != met.connected:
            return True
        if now.cancelled_since is not None and now.cancelled_since > version:
            return True
        mine = dict(self.asked)[version]
        return any(it > version and action == mine for it, action in self.asked)
