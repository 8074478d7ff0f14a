"""
The possible outcomes of a job once the system is quiet: its status, and its action's stage.

Pure, like the model. Where services race with later commands, several outcomes are possible.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from support.model.held_model import MAX_HELD
from support.model.model import ACTION, REGISTER, REPLACE, Json, ModelOrder, OrderModel, Transition

Contacts = Collection[tuple[str, str]]
"""Keys of contacts, as (matchKeyType, matchKey)."""


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """The possible statuses of a job, and stages of its action."""

    statuses: frozenset[str]
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class OrderAfterCommand:
    """The order of a job from its command on, until it was deleted."""

    contact_known: frozenset[bool]
    """Whether its contact existed; both, if a replacement named another one."""
    replaced_or_deleted: bool
    """Whether it was replaced or deleted."""
    deleted: bool
    changed_again: bool
    """Whether any command came after."""
    displaced: bool
    """Whether so many actions were embedded after it that its own is not held any more."""


def expected_outcome(
    model: OrderModel, contacts: Contacts, job_id: str, late: Contacts = (), erased: Contacts = ()
) -> ExpectedOutcome:
    """Return the job's possible outcomes; *late* contacts came, *erased* ones went, meanwhile."""
    step = model.jobs[job_id]
    if step.result.alias_of is not None:
        return expected_outcome(model, contacts, step.result.alias_of, late, erased)
    if step.result.code is not None:
        return ExpectedOutcome(frozenset({"Failed"}), frozenset({"none"}))
    if step.result.action is None and not sets_contact(step):
        return ExpectedOutcome(frozenset({"Completed"}), frozenset({"none"}))
    # A key that a living contact shares with an erased one may have been nobody's, or either's.
    final = order_after_command(model, set(contacts) - set(erased), step)
    healed = order_after_command(model, {*contacts, *late} - set(erased), step)
    before = order_after_command(model, {*contacts, *late, *erased}, step)
    if before != healed:
        return outcome_when_erased(step, before, final)
    if healed != final:
        return outcome_when_healed(step, final, healed)
    return ExpectedOutcome(statuses(step, final), actions(step, final))


def outcome_when_healed(
    step: Transition, before: OrderAfterCommand, after: OrderAfterCommand
) -> ExpectedOutcome:
    """
    Return the outcomes if the contact came before or after the order was enriched.

    An action that was triggered before stays failed. A held action is dropped if the order was
    deleted, replaced, cancelled or requested the same action again before the contact came.
    """
    triggered = step.command.kind == ACTION
    ends = statuses(step, after)
    if before.replaced_or_deleted or triggered:
        ends |= statuses(step, before)
    acted = frozenset(
        {"delivered", "dropped"} if before.changed_again or triggered else {"delivered"}
    )
    return ExpectedOutcome(ends, frozenset({"none"}) if step.result.action is None else acted)


def outcome_when_erased(
    step: Transition, before: OrderAfterCommand, after: OrderAfterCommand
) -> ExpectedOutcome:
    """
    Return the outcomes if the contact was erased before or after the order was enriched.

    An order that came after the erasure isn't deleted, and waits for its contact.
    """
    acted = actions(step, before) | actions(step, after)
    dropped = frozenset({"none"} if step.result.action is None else {"delivered", "dropped"})
    return ExpectedOutcome(statuses(step, before) | statuses(step, after), acted | dropped)


def statuses(step: Transition, final: OrderAfterCommand) -> frozenset[str]:
    if False not in final.contact_known:
        return frozenset({"Completed"})
    lacking = "Failed" if step.command.kind == ACTION else "CompletedWithErrors"
    return frozenset({lacking, "Completed"} if final.replaced_or_deleted else {lacking})


def actions(step: Transition, final: OrderAfterCommand) -> frozenset[str]:
    """Return an action's possible stages; delivered, if the contact exists and the order stays."""
    if step.result.action is None:
        return frozenset({"none"})
    if False not in final.contact_known:
        return frozenset({"delivered", "dropped"} if final.deleted else {"delivered"})
    if True in final.contact_known:
        return frozenset({"delivered", "dropped"})
    if final.replaced_or_deleted or final.displaced or step.command.kind == ACTION:
        return frozenset({"dropped"})
    return frozenset({"held", "dropped"} if final.changed_again else {"held"})


def order_after_command(
    model: OrderModel, contacts: Contacts, step: Transition
) -> OrderAfterCommand:
    steps = model.history[step.command.order_id]
    after = steps[steps.index(step) + 1 :]
    later = [it.after for it in after]
    embedded = [it for it in after if it.result.action and it.result.version is not None]
    deleted = None in later
    until_deleted = later[: later.index(None)] if deleted else later
    states = [it for it in (step.after, *until_deleted) if it is not None]
    return OrderAfterCommand(
        contact_known=frozenset(contact_key(it.content) in contacts for it in states),
        replaced_or_deleted=deleted or len({it.contact_version for it in states}) > 1,
        deleted=deleted,
        changed_again=bool(later),
        displaced=len(embedded) >= MAX_HELD,
    )


def sets_contact(step: Transition) -> bool:
    """Whether the command set the order's contact."""
    return step.command.kind in {REGISTER, REPLACE} and step.result.version is not None


def contact_key(content: Json) -> tuple[str, str]:
    return content["contact"]["matchKeyType"], content["contact"]["matchKey"]


def lacks_contact(order: ModelOrder, contacts: Contacts) -> bool:
    return contact_key(order.content) not in contacts
