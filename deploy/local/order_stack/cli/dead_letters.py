"""The commands for dead letters: list, show, replay and drop them."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick
# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.progress import track
from rich.text import Text

from order_operations.dead_letters import letter_view
from order_operations.dead_letters.letter_view import Letter, LetterFilter
from order_operations.problems import OperationFailed
from order_runtime.documents.dead_letters import DROPPED, REPLAYED
from order_stack.cli.options import JsonOption, err, out, print_json, time_of
from order_stack.cli.printing.tables import print_pairs, print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.dead_letters.topics import DeadLetters

COLUMNS: Final = ("place", "key", "reason", "message", "at", "state", "jobId")
MANY = 10  # letters, above which a replay or a drop asks first

dlq_app = typer.Typer(
    no_args_is_help=True, help="Dead letters: what could not be read, applied or delivered."
)

PositionsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[PLACE…]", help="TOPIC/PARTITION/OFFSET, as listed.")
]
TopicOption = Annotated[
    list[str] | None, typer.Option("--topic", help="orders.commands, .events or .actions.")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="The code of the reason.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="The record's key, an orderId.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="From this time on (RFC 3339).")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Before this time (RFC 3339).")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show which, and do nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help=f"Don't ask, also above {MANY}.")]


@dlq_app.command("list")
@on_a_system
def list_letters(
    system: SystemOptions,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    key: KeyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were replayed, settled or dropped.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the oldest first; nothing of what they hold but the key."""
    wanted = _filter(None, topic, reason, key, since, until, handled=everything)
    _print(_matching(system, wanted), as_json=as_json)


@dlq_app.command("show")
@on_a_system
def show_letter(
    system: SystemOptions,
    position: Annotated[str, typer.Argument(metavar="PLACE", help="TOPIC/PARTITION/OFFSET.")],
    value: Annotated[
        bool, typer.Option("--value", help="Print the original bytes instead, personal data too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the headers of one dead letter, or its original bytes."""
    wanted, dead_letters = _filter([position], None), _dead_letters(system)
    [parsed] = wanted.positions
    record = dead_letters.record_at(parsed)
    if value:
        sys.stdout.buffer.write(record.value or b"")
        return
    [letter] = _matching(system, wanted)
    fields = letter_view.json_of(letter)
    headers = [(header, letter_view.printable(text)) for header, text in record.headers]
    if as_json:
        print_json({**fields, "headers": headers})
    else:
        print_pairs([*fields.items(), *headers])


@dlq_app.command("replay")
@on_a_system
def replay(
    system: SystemOptions,
    positions: PositionsArgument = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    key: KeyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send open dead letters to the topic they came from; exit code 1 where some can't be."""
    wanted = _explicit_filter(positions, topic, reason, key, since, until)
    dead_letters = _dead_letters(system)
    chosen = _matching(system, wanted)
    if dry_run:
        _print(chosen, as_json=as_json)
        return
    _confirm("Replay", chosen, yes=yes)
    results = track(
        dead_letters.replay(chosen),
        "Replaying",
        len(chosen),
        console=err(),
        disable=not err().is_terminal,
    )
    failed = {str(it.position): it.refusal for it in results if it.refusal is not None}
    done = len(chosen) - len(failed)
    _mark(system, [it for it in chosen if str(it.position) not in failed], REPLAYED)
    if as_json:
        print_json({"replayed": done, "failed": failed})
    else:
        out().print(f"{done} replayed.")
        for position, why in failed.items():
            err().print(Text(f"{position} can't be replayed: {why}."))
    if failed:
        raise typer.Exit(1)


@dlq_app.command("drop")
@on_a_system
def drop(
    system: SystemOptions,
    positions: PositionsArgument = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    key: KeyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set open dead letters aside: no longer listed, and deleted when their time is over."""
    wanted = _explicit_filter(positions, topic, reason, key, since, until)
    dead_letters = _dead_letters(system)
    chosen = _matching(system, wanted)
    if dry_run:
        _print(chosen, as_json=as_json)
        return
    _confirm("Drop", chosen, yes=yes)
    dead_letters.drop(chosen)
    _mark(system, chosen, DROPPED)
    if as_json:
        print_json({"dropped": len(chosen)})
    else:
        out().print(f"{len(chosen)} dropped; Kafka deletes each 14 days after it came.")


def _dead_letters(system: SystemOptions) -> DeadLetters:
    from order_operations.dead_letters.topics import DeadLetters

    return DeadLetters(system.kafka_address())


def _mark(system: SystemOptions, letters: Sequence[Letter], state: str) -> None:
    """Note it in the letters' documents; Kafka knows it already, so that they may be away."""
    from order_operations.dead_letters.documents import mark

    try:
        mark(system.mongo_address(), letters, state)
    except (StackProblem, OperationFailed) as error:
        err().print(Text(f"{error} `orders dlq summary` may count these as open."))


def _matching(system: SystemOptions, wanted: LetterFilter) -> list[Letter]:
    """Return the letters that match; says where MongoDB can't be asked what became of them."""
    from order_operations.dead_letters.outcomes import with_outcomes

    def outcomes(letters: Sequence[Letter]) -> Sequence[Letter]:
        try:
            return with_outcomes(system.mongo_address(), letters) if letters else letters
        except (StackProblem, OperationFailed) as error:
            err().print(Text(f"{error} What was settled since may be listed as open."))
            return letters

    return _dead_letters(system).matching(wanted, outcomes)


def _explicit_filter(
    positions: list[str] | None,
    topic: list[str] | None,
    reason: str | None,
    key: str | None,
    since: str | None,
    until: str | None,
) -> LetterFilter:
    """Return the filter of letters to act on, which must not be empty."""
    if not any((positions, topic, reason, key, since, until)):
        raise StackProblem("Say which: places as `orders dlq list` shows them, or a filter.")
    return _filter(positions, topic, reason, key, since, until)


def _filter(
    positions: list[str] | None,
    topic: list[str] | None,
    reason: str | None = None,
    key: str | None = None,
    since: str | None = None,
    until: str | None = None,
    *,
    handled: bool = False,
) -> LetterFilter:
    if positions and any((topic, reason, key, since, until)):
        raise StackProblem("Name places, or give a filter; not both.")
    try:
        named = frozenset(letter_view.parse_position(text) for text in positions or ())
        topics = letter_view.parse_topics({position.topic for position in named} or topic or ())
        after, before = time_of(since), time_of(until)
    except ValueError as error:
        raise StackProblem(str(error)) from error
    return LetterFilter(topics, named, reason, key, after, before, handled)


def _confirm(verb: str, chosen: Sequence[Letter], *, yes: bool) -> None:
    if len(chosen) > MANY and not yes:
        typer.confirm(f"{verb} {len(chosen)} dead letters?", abort=True, err=True)


def _print(found: Sequence[Letter], *, as_json: bool) -> None:
    rows = [letter_view.json_of(letter) for letter in found]
    if as_json:
        print_json(rows)
        return
    if rows:
        print_rows(rows, COLUMNS, wraps="message")
    else:
        out().print("No dead letters.")
