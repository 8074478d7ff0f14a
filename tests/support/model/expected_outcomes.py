"""
How a job may end once the system is at rest: whether its contact exists, what its action came to.

Pure, like the model it reads. Where services race with later commands more than one end is right.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from support.model.model import ACTION, REGISTER, REPLACE, Json, Model, Step, Stored

Contacts = Collection[tuple[str, str]]
"""The match keys of the contacts that exist, each as (matchKeyType, matchKey)."""


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """The statuses a job may have in the end, and the ends its action may have."""

    statuses: frozenset[str]
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the order of a job looked like from its command on, until it was deleted."""

    known: frozenset[bool]
    """Whether its contact existed; both, where a replacement named another one."""
    moved: bool
    """Whether it was replaced or deleted."""
    gone: bool
    touched: bool
    """Whether anything at all came after."""


def expected_outcome(
    model: Model, contacts: Contacts, job_id: str, late: Contacts = (), erased: Contacts = ()
) -> ExpectedOutcome:
    """Return how the job may end; *late* are contacts that came, *erased* went, meanwhile."""
    step = model.jobs[job_id]
    if step.end.alias_of is not None:
        return expected_outcome(model, contacts, step.end.alias_of, late, erased)
    if step.end.code is not None:
        return ExpectedOutcome(frozenset({"Failed"}), frozenset({"none"}))
    if step.end.action is None and not connects(step):
        return ExpectedOutcome(frozenset({"Completed"}), frozenset({"none"}))
    outlook = outlook_of(model, contacts, step)
    healed = outlook_of(model, {*contacts, *late}, step)
    before = outlook_of(model, {*contacts, *late, *erased}, step)
    if before != healed:
        return outcome_when_erased(step, before, outlook)
    if healed != outlook:
        return outcome_when_healed(step, outlook, healed)
    return ExpectedOutcome(statuses(step, outlook), actions(step, outlook))


def outcome_when_healed(step: Step, before: Outlook, after: Outlook) -> ExpectedOutcome:
    """
    Its contact came at some time: before the order was looked at, or later, which healed it.

    What was triggered in between has failed and stays so; what was held is dropped if the order
    was deleted, replaced, cancelled or asked for the same again before the contact came.
    """
    triggered = step.command.kind == ACTION
    ends = statuses(step, after)
    if before.moved or triggered:
        ends |= statuses(step, before)
    acted = frozenset({"delivered", "dropped"} if before.touched or triggered else {"delivered"})
    return ExpectedOutcome(ends, frozenset({"none"}) if step.end.action is None else acted)


def outcome_when_erased(step: Step, before: Outlook, after: Outlook) -> ExpectedOutcome:
    """
    Its contact was erased at some time: before the order was looked at, or later.

    An order that came after that is a new relation, and waits for its contact.
    """
    acted = actions(step, before) | actions(step, after)
    dropped = frozenset({"none"} if step.end.action is None else {"delivered", "dropped"})
    return ExpectedOutcome(statuses(step, before) | statuses(step, after), acted | dropped)


def statuses(step: Step, outlook: Outlook) -> frozenset[str]:
    if False not in outlook.known:
        return frozenset({"Completed"})
    lacking = "Failed" if step.command.kind == ACTION else "CompletedWithErrors"
    return frozenset({lacking, "Completed"} if outlook.moved else {lacking})


def actions(step: Step, outlook: Outlook) -> frozenset[str]:
    """An action of a contact that exists is delivered, unless the order was deleted meanwhile."""
    if step.end.action is None:
        return frozenset({"none"})
    if False not in outlook.known:
        return frozenset({"delivered", "dropped"} if outlook.gone else {"delivered"})
    if True in outlook.known:
        return frozenset({"delivered", "dropped"})
    if outlook.moved or step.command.kind == ACTION:
        return frozenset({"dropped"})
    return frozenset({"held", "dropped"} if outlook.touched else {"held"})


def outlook_of(model: Model, contacts: Contacts, step: Step) -> Outlook:
    steps = model.history[step.command.order_id]
    later = [it.after for it in steps[steps.index(step) + 1 :]]
    gone = None in later
    life = later[: later.index(None)] if gone else later
    states = [it for it in (step.after, *life) if it is not None]
    return Outlook(
        known=frozenset(contact_of(it.content) in contacts for it in states),
        moved=gone or len({it.connected for it in states}) > 1,
        gone=gone,
        touched=bool(later),
    )


def connects(step: Step) -> bool:
    """Whether it gave the order a contact."""
    return step.command.kind in {REGISTER, REPLACE} and step.end.version is not None


def contact_of(content: Json) -> tuple[str, str]:
    return content["contact"]["matchKeyType"], content["contact"]["matchKey"]


def lacks_contact(order: Stored, contacts: Contacts) -> bool:
    return contact_of(order.content) not in contacts
