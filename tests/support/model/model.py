"""
A model of the contract for commands; it shares no code with the services. Pure.

`OrderModel.apply` takes every command in the order of the log, and returns its result.
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
class ModelCommand:
    """A command of the log; `body` is that of the HTTP call."""

    kind: str
    order_id: str
    job_id: str
    body: Json = field(default_factory=dict)
    if_match: str | None = None
    key: str | None = None
    """The Idempotency-Key, qualified by its owner."""
    untrimmed_key: str | None = None
    """The same as a gateway sent it that took blanks at its ends for a part of it."""
    suppressed: bool = False
    registration: str | None = None
    """A guard: the command has no effect unless this job registered the order."""
    contact_since: int | None = None
    """A guard: the command has no effect unless the order has its contact since this version."""
    at: int = 0
    """When the log took it, in milliseconds since 1970; 0 where that isn't known."""

    @property
    def fingerprint(self) -> str:
        """Equal for two commands with the same content."""
        only_if = (self.if_match, self.registration, self.contact_since)
        parts = (self.kind, self.order_id, self.body, only_if, self.suppressed)
        return json.dumps(parts, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of storing a command: a failure, a new version, or neither."""

    code: str | None = None
    status: int | None = None
    """The HTTP status of the failure."""
    version: int | None = None
    warnings: tuple[str, ...] = ()
    action: Json | None = None
    """The requested action, as in the body."""
    alias_of: str | None = None


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """An order that exists."""

    content: Json
    """As in the response to GET, without read-only fields."""
    version: int
    contact_version: int
    """The version at which it was last registered or replaced."""
    contact_since: int
    """The version at which it got its contact."""
    version_tag: str
    registered_by: str
    """The job that registered it."""
    status_at: datetime | None = None
    delivery_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Transition:
    """A decided command, its result, and the order after it; compared by identity."""

    command: ModelCommand
    result: CommandResult
    after: ModelOrder | None


@dataclass
class OrderModel:
    """All orders, jobs and Idempotency-Keys."""

    history: dict[str, list[Transition]] = field(default_factory=dict)
    """Decided commands by orderId."""
    jobs: dict[str, Transition] = field(default_factory=dict)
    keys: dict[str, ModelCommand] = field(default_factory=dict)

    def order(self, order_id: str) -> ModelOrder | None:
        steps = self.history.get(order_id)
        return steps[-1].after if steps else None

    def version(self, order_id: str) -> int:
        """Return the last version of the orderId, also across deletions."""
        return max((step.result.version or 0 for step in self.history.get(order_id, ())), default=0)

    def apply(self, command: ModelCommand) -> CommandResult:
        """Decide the next command of the log."""
        known = self.jobs.get(command.job_id)
        if known is not None:
            same = known.command.fingerprint == command.fingerprint
            return known.result if same else failure("IdReused")
        before = self.order(command.order_id)
        result, after = self._repeated(command) or guarded_away(command, before), before
        if result is None:
            result, after = decide(command, before, self.version(command.order_id))
        step = Transition(command, result, after)
        self.jobs[command.job_id] = step
        self.history.setdefault(command.order_id, []).append(step)
        return result

    def _repeated(self, command: ModelCommand) -> CommandResult | None:
        """Return the result of a command whose Idempotency-Key was used before."""
        keys = [key for key in (command.untrimmed_key, command.key) if key is not None]
        earlier = [self.keys[key] for key in keys if key in self.keys]
        same = next((it for it in earlier if it.fingerprint == command.fingerprint), None)
        if earlier and same is None:
            return failure("IdempotencyKeyReused")
        for key in keys:
            self.keys.setdefault(key, same or command)
        return CommandResult(alias_of=same.job_id) if same is not None else None


def decide(
    command: ModelCommand, order: ModelOrder | None, last: int
) -> tuple[CommandResult, ModelOrder | None]:
    """Return the result and the order after it; *last* is the orderId's last version."""
    if command.kind == REGISTER and order is None:
        return register(command, max(last + 1, command.at))
    refused = precondition_failure(command, order)
    if refused is not None or order is None:
        return refused or failure("OrderNotFound"), order
    if command.kind == DELETE:
        return CommandResult(version=last + 1), None
    if command.kind == ACTION:
        return CommandResult(
            action=None if command.suppressed else requested_action(command.body)
        ), order
    if command.if_match is None and is_stale_change(command, order):
        return CommandResult(warnings=("StaleChange",)), order
    return change(command, order, last + 1)


def guarded_away(command: ModelCommand, order: ModelOrder | None) -> CommandResult | None:
    """Return the empty result of a command whose guards don't fit the order."""
    if command.registration is None and command.contact_since is None:
        return None
    if order is None or command.registration not in {None, order.registered_by}:
        return CommandResult()
    return None if command.contact_since in {None, order.contact_since} else CommandResult()


def precondition_failure(command: ModelCommand, order: ModelOrder | None) -> CommandResult | None:
    if command.kind == REGISTER:
        return failure("OrderExists") if order else None
    if order is None:
        return failure("OrderNotFound")
    if not if_match_holds(command.if_match, order.version_tag):
        return failure("VersionMismatch")
    if command.kind == ACTION and command.body["versionTag"] != order.version_tag:
        return failure("VersionMismatch", 404)
    return None


def register(command: ModelCommand, version: int) -> tuple[CommandResult, ModelOrder]:
    at = last_changed(command.body)
    order = ModelOrder(
        content=order_content(command.body, command.order_id),
        version=version,
        contact_version=version,
        contact_since=version,
        version_tag=tag_of(command.job_id),
        registered_by=command.job_id,
        status_at=at,
        delivery_at=at,
    )
    return result_of_write(command, order), order


def change(
    command: ModelCommand, order: ModelOrder, version: int
) -> tuple[CommandResult, ModelOrder]:
    body, at = command.body, last_changed(command.body)
    after = replace(order, version=version, version_tag=tag_of(command.job_id))
    if command.kind == REPLACE:
        content = order_content(body, command.order_id)
        same = content["contact"] == order.content["contact"]
        after = replace(
            after,
            content=content,
            contact_version=version,
            contact_since=order.contact_since if same else version,
            status_at=at or order.status_at,
            delivery_at=at or order.delivery_at,
        )
    elif command.kind == STATUS:
        fields = {name: body[name] for name in ("status", "externalStatus") if name in body}
        after = replace(after, content=with_last_changed(order.content | fields, at), status_at=at)
    else:
        merged = order.content.get("delivery", {}) | body["delivery"]
        given = {name: value for name, value in merged.items() if value is not None}
        content = with_last_changed(order.content | {"delivery": given}, at)
        after = replace(after, content=content, delivery_at=at)
    return result_of_write(command, after), after


def result_of_write(command: ModelCommand, order: ModelOrder) -> CommandResult:
    whole = command.kind in {REGISTER, REPLACE}
    warnings = ("TotalsMismatch",) if whole and not totals_match(command.body) else ()
    action = None if command.suppressed else command.body.get("orderAction")
    return CommandResult(version=order.version, warnings=warnings, action=action)


def requested_action(body: Json) -> Json:
    wanted = {name: body.get(name) for name in ("action", "language", "data")}
    return {name: value for name, value in wanted.items() if value is not None}


def is_stale_change(command: ModelCommand, order: ModelOrder) -> bool:
    """Whether the command is older than the last change of the fields that it changes."""
    touched = {STATUS: [order.status_at], DELIVERY: [order.delivery_at]}.get(
        command.kind, [order.status_at, order.delivery_at]
    )
    at = last_changed(command.body)
    return at is not None and any(last is not None and at < last for last in touched)


def if_match_holds(if_match: str | None, version_tag: str) -> bool:
    """Whether the precondition holds; a weak tag never does (RFC 9110, strong comparison)."""
    if if_match is None or if_match.strip() == "*":
        return True
    return f'"{version_tag}"' in [part.strip() for part in if_match.split(",")]


def tag_of(job_id: str) -> str:
    return b64encode(sha256(job_id.encode()).digest()[:16]).decode()


def failure(code: str, status: int | None = None) -> CommandResult:
    return CommandResult(code=code, status=status or FAILURE_STATUS[code])


FAILURE_STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "OrderExists": 409,
        "OrderNotFound": 404,
        "VersionMismatch": 412,
        "IdempotencyKeyReused": 422,
        "IdReused": 409,
    }
)


def order_content(body: Json, order_id: str) -> Json:
    """Return an order as in the response to GET, without action and read-only fields."""
    hidden = READ_ONLY | {"orderAction"}
    kept = {name: value for name, value in body.items() if name not in hidden}
    kept |= {"orderId": order_id, "contact": {"contactType": "Member"} | body["contact"]}
    times = {
        name: contract_time(kept[name]) for name in ("createdAt", "lastChangedAt") if name in kept
    }
    return kept | times


def with_last_changed(content: Json, at: datetime | None) -> Json:
    return content | ({"lastChangedAt": contract_time(at.isoformat())} if at else {})


def contract_time(time: str) -> str:
    at = datetime.fromisoformat(time).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def last_changed(body: Json) -> datetime | None:
    given = body.get("lastChangedAt")
    return datetime.fromisoformat(given) if given else None


def totals_match(body: Json) -> bool:
    items = body["lineItems"]["items"]
    lines = sum((amount(it["totalPrice"]) * sign(it) for it in items), Decimal())
    total = lines + charge_total(body, "fees") - charge_total(body, "discounts")
    sub_total = body["lineItems"].get("subTotal")
    parts_fit = sub_total is None or abs(lines - amount(sub_total)) <= Decimal("0.01")
    return parts_fit and abs(total - amount(body["totalPrice"])) <= Decimal("0.01")


def sign(item: Json) -> int:
    return -1 if item["type"] == "Return" else 1


def charge_total(body: Json, name: str) -> Decimal:
    return amount((body.get(name) or {}).get("total") or 0)


def amount(value: Any) -> Decimal:
    return Decimal(str(value))
