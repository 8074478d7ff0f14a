"""The command that says what is wrong with a running system, why it matters and what helps."""

# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command
# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from order_stack.cli.access import PrefixOption, PrincipalOption
from order_stack.cli.options import JsonOption, out, print_json
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.supervision.signals import stop_on_signals

if TYPE_CHECKING:
    from order_operations.connections.system_address import SystemAddress
    from order_operations.diagnosis.diagnosis import Diagnosis
    from order_operations.diagnosis.facts import Key, Login
    from order_operations.diagnosis.finding import Finding
    from order_operations.diagnosis.gather import Scope

LOOK_SECONDS: Final = 5.0  # between two looks of --watch
STYLES: Final = ("bold red", "yellow", "dim")
"""By severity."""


@on_a_system
def doctor(
    system: SystemOptions,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and print what begins and what is over.")
    ] = False,
    looks_back: Annotated[
        int,
        typer.Option(
            "--looks-back", metavar="SECONDS", min=1, help="How far what happened counts."
        ),
    ] = 300,
    prefix: PrefixOption = "",
    principal: PrincipalOption = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="User:NAME",
            help="A principal of no workload that may use this system's topics or groups.",
        ),
    ] = None,
    secret_days: Annotated[
        int,
        typer.Option("--secret-days", metavar="DAYS", min=1, help="From when on secrets are old."),
    ] = 365,
    keys_file: Annotated[
        Path | None,
        typer.Option(
            "--keys-file",
            exists=True,
            dir_okay=False,
            help="The API keys' file, of a system that is elsewhere.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Say what is wrong, the cause first, why it matters, and what helps.

    Exit code 1 where something is wrong, also where Kafka or MongoDB can't be reached; else 0.
    """
    from order_operations.access.plan import principals_by_workload
    from order_operations.diagnosis.gather import Scope

    with stop_on_signals():
        looks = _looks(
            system.address(),
            Scope(
                timedelta(seconds=looks_back),
                keys=_keys(keys_file or system.keys_file()),
                logins=_logins(system.profiles()),
                secret_age=timedelta(days=secret_days),
                principals=principals_by_workload(prefix, principal or ()),
                known=known or (),
            ),
        )
        if watch:
            print_changes(looks, as_json=as_json)
            return
        seen = next(looks)
    print_diagnosis(seen, as_json=as_json)
    if seen.problems:
        raise typer.Exit(1)


def _looks(address: SystemAddress, scope: Scope) -> Iterator[Diagnosis]:
    from order_operations.diagnosis.diagnosis import diagnose
    from order_operations.diagnosis.gather import gather

    while True:
        yield diagnose(gather(address, scope))
        time.sleep(LOOK_SECONDS)


def _keys(file: Path | None) -> list[Key]:
    """Return the keys that are valid; none where the file can't be read, as the gateways say."""
    from order_operations.diagnosis.facts import Key
    from order_runtime.auth.api_keys import KeyFile

    if file is None:
        return []
    with suppress(OSError, ValueError):
        found = KeyFile(file).keys()
        return [Key(it.id, it.name, it.created_at) for it in found if not it.revoked]
    return []


def _logins(profiles: Iterable[Path]) -> list[Login]:
    from order_operations.connections.profile import changed_at
    from order_operations.diagnosis.facts import Login

    found = {it: changed_at(it) for it in profiles}
    return [Login(it.name, at) for it, at in found.items() if at is not None]


def print_diagnosis(seen: Diagnosis, *, as_json: bool) -> None:
    from order_operations.diagnosis.diagnosis import all_clear, json_of

    if as_json:
        print_json(json_of(seen))
        return
    if not seen.problems:
        out().print(Text(all_clear(seen), style="green"))
    for at, finding in enumerate(seen.findings):
        if at or not seen.problems:
            out().print()
        _print_finding(finding)


def _print_finding(finding: Finding) -> None:
    out().print(Text(finding.sentence, style=STYLES[finding.severity]))
    out().print(Text(f"  {finding.matters}"))
    out().print(Text(f"  What helps: {finding.helps}"))
    for it in finding.follows:
        out().print(Text(f"  Follows from it: {it.sentence}", style="dim"))


def print_changes(looks: Iterator[Diagnosis], *, as_json: bool) -> None:
    """Print what is wrong at first, then what begins and ends, until a signal comes."""
    from order_operations.diagnosis.diagnosis import all_clear, changes, finding_json

    before: Diagnosis | None = None
    for seen in looks:
        begun, over = changes(before, seen)
        for word, findings in (("begun", begun), ("over", over)):
            for it in findings:
                if as_json:
                    line = {"at": f"{seen.at:%Y-%m-%dT%H:%M:%SZ}", "what": word}
                    typer.echo(json.dumps({**line, **finding_json(it)}, ensure_ascii=False))
                else:
                    _print_change(f"{seen.at:%H:%M:%S}", word, it)
        if not seen.problems and (before is None or over) and not as_json:
            out().print(Text(f"{seen.at:%H:%M:%S}  {all_clear(seen)}", style="green"))
        before = seen


def _print_change(at: str, word: str, finding: Finding) -> None:
    if word == "over":
        out().print(Text(f"{at}  over: {finding.sentence}", style="green"))
        return
    out().print(Text(f"{at}  {finding.sentence}", style=STYLES[finding.severity]))
    out().print(Text(f"          What helps: {finding.helps}"))
