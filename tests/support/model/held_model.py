"""
A model of one order's link and held actions while commands, events and its contact interleave.

It models the contract for one orderId and one contact, and imports no service. The order-writer
stores the commands, the enricher handles their events later in the same order, and the contact
arrives between any two of these steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

REGISTER, REPLACE, CANCEL, REOPEN, CHANGE, DELETE = (
    *("register", "replace", "cancel", "reopen"),
    *("change", "delete"),
)

MAX_HELD: Final = 100
"""Of the actions that an order's commands embed, the newest so many are held."""


@dataclass(frozen=True, slots=True)
class AppliedCommand:
    """A command that was applied; `action` is the name of its embedded action."""

    kind: str
    action: str | None = None


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """The stored order: versions of its registration, of its contact and of its cancellation."""

    registered_version: int
    contact_version: int
    cancelled_since: int | None


@dataclass
class HeldOrderModel:
    """The expected result of the enricher; call one method for each step."""

    window_is_open: bool = True
    stored_order: OrderSnapshot | None = None
    requested_actions: list[tuple[int, str]] = field(default_factory=list)
    """Version and name of the actions that were embedded in commands."""
    contact_known: bool = False
    stored: list[tuple[AppliedCommand, OrderSnapshot | None]] = field(default_factory=list)
    handled: int = 0
    held: dict[int, OrderSnapshot] = field(default_factory=dict)
    """Held actions by version, each with the order after its command."""
    ends: dict[int, str] = field(default_factory=dict)

    @property
    def linked(self) -> bool:
        """Whether the order is linked to its contact once all events are handled."""
        return self.stored_order is not None and self.contact_known

    def store(self, command: AppliedCommand) -> None:
        version = len(self.stored) + 1
        before = self.stored_order
        if command.kind == DELETE:
            self.stored_order = None
        elif command.kind == REGISTER or before is None:
            self.stored_order = OrderSnapshot(version, version, None)
        elif command.kind == REPLACE:
            self.stored_order = OrderSnapshot(before.registered_version, version, None)
        elif command.kind == CANCEL:
            since = before.cancelled_since or version
            self.stored_order = OrderSnapshot(
                before.registered_version, before.contact_version, since
            )
        elif command.kind == REOPEN:
            self.stored_order = OrderSnapshot(
                before.registered_version, before.contact_version, None
            )
        self.stored.append((command, self.stored_order))
        if command.action is not None:
            self.requested_actions.append((version, command.action))

    def handle(self) -> None:
        """Handle the next event."""
        command, order_then = self.stored[self.handled]
        self.handled += 1
        version = self.handled
        if command.action is not None and order_then is not None:
            self._act(version, order_then)
        self._drop_outdated()

    def see_contact(self) -> None:
        """Handle the contact's first record."""
        self._drop_outdated()
        self.contact_known = True
        for version in self.held:
            self.ends[version] = "fired" if self.window_is_open else "dropped"
        self.held.clear()

    def _act(self, version: int, order_then: OrderSnapshot) -> None:
        now = self.stored_order
        if now is None or now.registered_version != order_then.registered_version:
            self.ends[version] = "dropped"
        elif self.contact_known:
            self.ends[version] = "fired"
        elif now.contact_version != order_then.contact_version:
            self.ends[version] = "dropped"
        else:
            self.held[version] = order_then

    def _drop_outdated(self) -> None:
        for version in [
            it for it, order_then in self.held.items() if self._outdated(it, order_then)
        ]:
            del self.held[version]
            self.ends[version] = "dropped"

    def _outdated(self, version: int, order_then: OrderSnapshot) -> bool:
        now = self.stored_order
        if now is None or now.contact_version != order_then.contact_version:
            return True
        if now.cancelled_since is not None and now.cancelled_since > version:
            return True
        own_action = dict(self.requested_actions)[version]
        later = [action for it, action in self.requested_actions if it > version]
        return own_action in later or len(later) >= MAX_HELD
