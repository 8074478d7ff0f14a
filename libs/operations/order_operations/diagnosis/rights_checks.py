"""Findings about who may do what in Kafka and in MongoDB. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from order_operations.diagnosis.facts import Facts, HeldRights
from order_operations.diagnosis.finding import Code, Finding, Severity
from order_operations.diagnosis.process_checks import SERVICES
from order_operations.diagnosis.wording import counted, listed

_AS_BEFORE: Final = "by somebody who may change rights, with the --prefix and --principal in use"


def rights(facts: Facts) -> Iterator[Finding]:
    """Rights that workloads lack or have beyond their needs, and those of nobody's principals."""
    for it in facts.rights:
        if not it.workloads:
            yield _of_a_stranger(it)
            continue
        if it.missing:
            yield _missing(it)
        if it.superfluous:
            yield _superfluous(it)


def _missing(held: HeldRights) -> Finding:
    about = _about(held)
    of_service = about in SERVICES
    return Finding(
        Code.SERVICE_LACKS_RIGHTS if of_service else Code.CLIENT_LACKS_RIGHTS,
        Severity.CRITICAL if of_service else Severity.WARNING,
        f"The {_who(held)} lacks {_counted(held.missing)} in {held.system}:"
        f" {listed(held.missing)}.",
        "What takes it is refused: a process that starts waits for it, and one that runs may end."
        if of_service
        else "Whoever comes in as it is refused there.",
        f"`orders access apply --grant-only`, {_AS_BEFORE}",
        subject=_subject(held),
        about=about,
    )


def _superfluous(held: HeldRights) -> Finding:
    return Finding(
        Code.RIGHTS_SUPERFLUOUS,
        Severity.WARNING,
        f"The {_who(held)} has {_counted(held.superfluous)} in {held.system} that it doesn't need:"
        f" {listed(held.superfluous)}.",
        "Whoever gets hold of its login may do that as well.",
        "Once no process of the release before is left, `orders access apply`"
        f" {_AS_BEFORE}, revokes what is superfluous.",
        subject=_subject(held),
        about=_about(held),
    )


def _of_a_stranger(held: HeldRights) -> Finding:
    return Finding(
        Code.STRANGER_HAS_RIGHTS,
        Severity.WARNING,
        f"{held.holder}, whom no workload names, has {_counted(held.superfluous)} in {held.system}"
        f" on what is this system's: {listed(held.superfluous)}.",
        "It reads or changes orders beside the workloads; `orders access apply` leaves it alone.",
        "Remove its ACLs with Kafka's own tools; or say whose it is, by"
        f" `--principal WORKLOAD={held.holder}` of `orders access` and of this command, or that it"
        f" is none's and may, by `--known {held.holder}` of this one.",
        subject=_subject(held),
    )


def _about(held: HeldRights) -> str:
    """Return the service that it is about, or the first of the workloads that it is of."""
    return next((it for it in held.workloads if it in SERVICES), held.workloads[0])


def _who(held: HeldRights) -> str:
    return f"{listed(held.workloads)} ({held.holder})"


def _counted(found: Sequence[str]) -> str:
    return counted(len(found), "right")


def _subject(held: HeldRights) -> str:
    return f"{held.system} {held.holder}"
