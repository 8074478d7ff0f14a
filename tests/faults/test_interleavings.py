"""Commands, events and contacts in any order end alike, and an action is fired exactly when due."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from order_contracts.topics import ACTIONS
from order_runtime.mongo.client import HELD
from support.builders.bodies import unique
from support.builders.writer_fixtures import WriterFixture, WrittenCommand, read_back
from support.harness.enricher_harness import (
    DAY,
    NOW,
    EnricherHarness,
    MakeHarness,
    contact_record,
    enricher_harnesses,
    order_of_contact,
)
from support.model.held_model import (
    CANCEL,
    CHANGE,
    DELETE,
    REGISTER,
    REOPEN,
    REPLACE,
    AppliedCommand,
    HeldOrderModel,
)
from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

STORE, HANDLE, MEET = "store", "handle", "meet"


@dataclass(frozen=True, slots=True)
class Interleaving:
    """Commands of one order, and the order in which they and its contact are processed."""

    commands: list[AppliedCommand]
    steps: list[str]
    window_is_open: bool


@st.composite
def interleavings(draw: st.DrawFn) -> Interleaving:
    commands: list[AppliedCommand] = []
    for _ in range(draw(st.integers(1, 6))):
        plays = bool(commands) and commands[-1].kind != DELETE
        kinds = [REPLACE, CANCEL, REOPEN, CHANGE, DELETE] if plays else [REGISTER]
        kind = draw(st.sampled_from(kinds))
        action = draw(st.sampled_from([None, "ConfirmOrder", "ConfirmOrder", "Custom"]))
        commands.append(AppliedCommand(kind, None if kind == DELETE else action))
    return Interleaving(commands, _steps(draw, len(commands)), draw(st.booleans()))


def _steps(draw: st.DrawFn, commands: int) -> list[str]:
    """Return steps: an event is handled after its command is stored, the contact any time."""
    steps: list[str] = []
    while len(steps) < 2 * commands:
        stored, handled = steps.count(STORE), steps.count(HANDLE)
        possible = [STORE] * (stored < commands) + [HANDLE] * (handled < stored)
        steps.append(draw(st.sampled_from(possible)))
    # Late rather than early: a contact that precedes the first order tests little.
    early = draw(st.integers(0, len(steps)))
    steps.insert(max(early, draw(st.integers(0, len(steps)))), MEET)
    return steps


def apply_command(writer: WriterFixture, command: AppliedCommand, key: str) -> WrittenCommand:
    action = {"action": command.action} if command.action else None
    match command.kind:
        case "register":
            return writer.register(order_of_contact(key), action)
        case "replace":
            return writer.replace(order_of_contact(key), action)
        case "cancel":
            return writer.cancel(action)
        case "reopen":
            return writer.reopen(action)
        case "change":
            return writer.change_status(action)
        case _:
            return writer.delete()


async def play(harness: EnricherHarness, interleaving: Interleaving) -> None:
    """Process *interleaving* on the real database, and compare the result with the model."""
    key, writer = unique("contact"), WriterFixture(unique("order"))
    order, jobs = HeldOrderModel(interleaving.window_is_open), list[WrittenCommand]()
    harness.publisher.records.clear()
    # With a closed window, only the contact's arrival happens after it has ended.
    late = NOW if interleaving.window_is_open else NOW + DAY
    for step in interleaving.steps:
        if step == STORE:
            jobs.append(apply_command(writer, interleaving.commands[len(jobs)], key))
            await harness.store([jobs[-1]])
            order.store(interleaving.commands[len(jobs) - 1])
        elif step == HANDLE:
            await harness.handle_events([read_back(jobs[order.handled].event)])
            order.handle()
        else:
            await harness.add_references(contact_record(key), now=late)
            order.see_contact()
    await assert_matches_model(harness, order, jobs)


async def assert_matches_model(
    harness: EnricherHarness, order: HeldOrderModel, jobs: list[WrittenCommand]
) -> None:
    ends = {jobs[version - 1].job_id: end for version, end in order.ends.items()}
    acted = [it for it in jobs if "action" in it.job]
    assert {it.job_id: (await harness.stages(it))[1] for it in acted} == ends
    fired = [it["jobId"] for it in harness.publisher.on(ACTIONS.name)]
    assert sorted(fired) == sorted(job_id for job_id, end in ends.items() if end == "fired")
    link = await harness.link(jobs[0].order["_id"])
    assert (link is not None and link["contactId"] is not None) == order.linked
    waits = {"orderId": jobs[0].order["_id"], "state": {"$in": ["waiting", "firing"]}}
    assert await harness.database[HELD].count_documents(waits) == 0


async def end(made: AbstractAsyncContextManager[MakeHarness]) -> None:
    await made.__aexit__(None, None, None)


def test_any_interleaving_ends_as_the_contract_says(stack: RunningStack) -> None:
    made = enricher_harnesses(stack.mongo)

    async def begin() -> EnricherHarness:
        return await (await made.__aenter__())()

    with asyncio.Runner() as loop:
        harness = loop.run(begin())

        @settings(max_examples=300, deadline=None)
        @given(interleavings())
        def plays(interleaving: Interleaving) -> None:
            loop.run(play(harness, interleaving))

        try:
            plays()
        finally:
            loop.run(end(made))
