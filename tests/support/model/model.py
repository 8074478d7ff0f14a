"""
What the contract says becomes of commands; shares no code with the services. Pure.

`Model.apply` is given every command in the order of the log, and returns the end of its job.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

Json = dict[str, Any]

REGISTER, REPLACE, DELETE = "RegisterOrder", "ReplaceOrder", "DeleteOrder"
STATUS, DELIVERY = "ChangeOrderStatus", "ChangeOrderDelivery"
ACTION = "TriggerOrderAction"
READ_ONLY: Final = frozenset({"orderType", "versionTag", "contactId", "registeredAt", "updatedAt"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it stands in the log; `body` is that of the HTTP call."""

    kind: str
    order_id: str
    job_id: str
    body: Json = field(default_factory=dict)
    if_match: str | None = None
    key: str | None = None
    """The Idempotency-Key, together with whom it belongs to."""
    suppressed: bool = False
    registration: str | None = None
    """The job that registered the order which is meant; of another one nothing is changed."""
    since: int | None = None
    """The version at which it got its contact; of another contact's nothing is changed."""

    @property
    def fingerprint(self) -> str:
        """Give what makes two commands the same."""
        only_if = (self.if_match, self.registration, self.since)
        parts = (self.kind, self.order_id, self.body, only_if, self.suppressed)
        return json.dumps(parts, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class End:
    """What storing a command ends in: a failure, a new version, or neither."""

    code: str | None = None
    status: int | None = None
    """The HTTP status of the failure."""
    version: int | None = None
    warnings: tuple[str, ...] = ()
    action: Json | None = None
    """The action that it asks for, as it stands in the body."""
    alias_of: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An order that exists."""

    content: Json
    """As GET answers it, without its read-only fields."""
    version: int
    connected: int
    """The version at which it was last registered or replaced."""
    since: int
    """The version at which it got its contact."""
    tag: str
    owner: str
    """The job that registered it."""
    status_at: datetime | None = None
    delivery_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A command that was decided, and the order after it; equal to itself alone."""

    command: Command
    end: End
    after: Stored | None


@dataclass
class Model:
    """All orders, jobs and Idempotency-Keys."""

    history: dict[str, list[Step]] = field(default_factory=dict)
    """What was decided, by orderId."""
    jobs: dict[str, Step] = field(default_factory=dict)
    keys: dict[str, Command] = field(default_factory=dict)

    def order(self, order_id: str) -> Stored | None:
        steps = self.history.get(order_id)
        return steps[-1].after if steps else None

    def version(self, order_id: str) -> int:
        """Return the last version that was made, over all lives of the orderId."""
        return max((step.end.version or 0 for step in self.history.get(order_id, ())), default=0)

    def apply(self, command: Command) -> End:
        """Decide the command that comes next in the log."""
        known = self.jobs.get(command.job_id)
        if known is not None:
            same = known.command.fingerprint == command.fingerprint
            return known.end if same else failed("IdReused")
        before = self.order(command.order_id)
        end, after = self._repeated(command) or meant_another(command, before), before
        if end is None:
            end, after = decided(command, before, self.version(command.order_id))
        step = Step(command, end, after)
        self.jobs[command.job_id] = step
        self.history.setdefault(command.order_id, []).append(step)
        return end

    def _repeated(self, command: Command) -> End | None:
        """Return the end of a command whose Idempotency-Key was used before."""
        if command.key is None:
            return None
        first = self.keys.setdefault(command.key, command)
        if first is command:
            return None
        if first.fingerprint == command.fingerprint:
            return End(alias_of=first.job_id)
        return failed("IdempotencyKeyReused")


def decided(command: Command, order: Stored | None, last: int) -> tuple[End, Stored | None]:
    """Return the job's end and the order after it; *last* is the last version of the orderId."""
    if command.kind == REGISTER and order is None:
        return registered(command, last + 1)
    refused = refusal(command, order)
    if refused is not None or order is None:
        return refused or failed("OrderNotFound"), order
    if command.kind == DELETE:
        return End(version=last + 1), None
    if command.kind == ACTION:
        return End(action=None if command.suppressed else asked(command.body)), order
    if command.if_match is None and is_stale(command, order):
        return End(warnings=("StaleChange",)), order
    return changed(command, order, last + 1)


def meant_another(command: Command, order: Stored | None) -> End | None:
    """Return the end of a command on a former life of the order, or while it was another's."""
    if command.registration is None and command.since is None:
        return None
    if order is None or command.registration not in {None, order.owner}:
        return End()
    return None if command.since in {None, order.since} else End()


def refusal(command: Command, order: Stored | None) -> End | None:
    if command.kind == REGISTER:
        return failed("OrderExists") if order else None
    if order is None:
        return failed("OrderNotFound")
    if not matches(command.if_match, order.tag):
        return failed("VersionMismatch")
    if command.kind == ACTION and command.body["versionTag"] != order.tag:
        return failed("VersionMismatch", 404)
    return None


def registered(command: Command, version: int) -> tuple[End, Stored]:
    at = time_of(command.body)
    order = Stored(
        content=shown(command.body, command.order_id),
        version=version,
        connected=version,
        since=version,
        tag=tag_of(command.job_id),
        owner=command.job_id,
        status_at=at,
        delivery_at=at,
    )
    return applied(command, order), order


def changed(command: Command, order: Stored, version: int) -> tuple[End, Stored]:
    body, at = command.body, time_of(command.body)
    after = replace(order, version=version, tag=tag_of(command.job_id))
    if command.kind == REPLACE:
        content = shown(body, command.order_id)
        same = content["contact"] == order.content["contact"]
        after = replace(
            after,
            content=content,
            connected=version,
            since=order.since if same else version,
            status_at=at or order.status_at,
            delivery_at=at or order.delivery_at,
        )
    elif command.kind == STATUS:
        fields = {name: body[name] for name in ("status", "externalStatus") if name in body}
        after = replace(after, content=with_time(order.content | fields, at), status_at=at)
    else:
        merged = order.content.get("delivery", {}) | body["delivery"]
        given = {name: value for name, value in merged.items() if value is not None}
        content = with_time(order.content | {"delivery": given}, at)
        after = replace(after, content=content, delivery_at=at)
    return applied(command, after), after


def applied(command: Command, order: Stored) -> End:
    whole = command.kind in {REGISTER, REPLACE}
    warnings = ("TotalsMismatch",) if whole and not adds_up(command.body) else ()
    action = None if command.suppressed else command.body.get("orderAction")
    return End(version=order.version, warnings=warnings, action=action)


def asked(body: Json) -> Json:
    wanted = {name: body.get(name) for name in ("action", "language", "data")}
    return {name: value for name, value in wanted.items() if value is not None}


def is_stale(command: Command, order: Stored) -> bool:
    """Whether it is older than the last change of an aspect that it touches."""
    touched = {STATUS: [order.status_at], DELIVERY: [order.delivery_at]}.get(
        command.kind, [order.status_at, order.delivery_at]
    )
    at = time_of(command.body)
    return at is not None and any(last is not None and at < last for last in touched)


def matches(if_match: str | None, tag: str) -> bool:
    """Whether the precondition holds; a weak tag never does (RFC 9110, strong comparison)."""
    if if_match is None or if_match.strip() == "*":
        return True
    return f'"{tag}"' in [part.strip() for part in if_match.split(",")]


def tag_of(job_id: str) -> str:
    return b64encode(sha256(job_id.encode()).digest()[:16]).decode()


def failed(code: str, status: int | None = None) -> End:
    return End(code=code, status=status or FAILURES[code])


FAILURES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "OrderExists": 409,
        "OrderNotFound": 404,
        "VersionMismatch": 412,
        "IdempotencyKeyReused": 422,
        "IdReused": 409,
    }
)


def shown(body: Json, order_id: str) -> Json:
    """Return an order as GET answers it, without its action and its read-only fields."""
    hidden = READ_ONLY | {"orderAction"}
    kept = {name: value for name, value in body.items() if name not in hidden}
    kept |= {"orderId": order_id, "contact": {"contactType": "Member"} | body["contact"]}
    times = {name: spelt(kept[name]) for name in ("createdAt", "lastChangedAt") if name in kept}
    return kept | times


def with_time(content: Json, at: datetime | None) -> Json:
    return content | ({"lastChangedAt": spelt(at.isoformat())} if at else {})


def spelt(time: str) -> str:
    at = datetime.fromisoformat(time).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def time_of(body: Json) -> datetime | None:
    given = body.get("lastChangedAt")
    return datetime.fromisoformat(given) if given else None


def adds_up(body: Json) -> bool:
    items = body["lineItems"]["items"]
    lines = sum((amount(it["totalPrice"]) * sign(it) for it in items), Decimal())
    total = lines + charge(body, "fees") - charge(body, "discounts")
    sub_total = body["lineItems"].get("subTotal")
    parts_fit = sub_total is None or abs(lines - amount(sub_total)) <= Decimal("0.01")
    return parts_fit and abs(total - amount(body["totalPrice"])) <= Decimal("0.01")


def sign(item: Json) -> int:
    return -1 if item["type"] == "Return" else 1


def charge(body: Json, name: str) -> Decimal:
    return amount((body.get(name) or {}).get("total") or 0)


def amount(value: Any) -> Decimal:
    return Decimal(str(value))
