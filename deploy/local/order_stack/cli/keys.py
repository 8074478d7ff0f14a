"""The commands for the API keys of a stack's gateways, or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, get_args

import typer

from order_runtime.auth.api_keys import SCOPES, ApiKey, ClientRefused, KeyFile, Scope
from order_stack.cli.options import JsonOption, NameOption, print_json
from order_stack.cli.printing.tables import print_rows
from order_stack.cluster import state
from order_stack.problems import StackProblem

COLUMNS: Final = ("id", "client", "name", "revoked", "scopes", "rate", "createdAt")

keys_app = typer.Typer(no_args_is_help=True, help="API keys of a stack's gateway, or in a file.")

FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="The keys in this file, instead of those of a stack."),
]


@keys_app.command("new")
def new_key(  # noqa: PLR0913, PLR0917  each is an option
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Whose key it is.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="May be given several times; all by default.")
    ] = None,
    rate: Annotated[int, typer.Option(help="Requests a second; 0 is no limit.")] = 200,
    client: Annotated[
        str | None,
        typer.Option(help="The new client's name; by default the key's id. It outlives the key."),
    ] = None,
    name: NameOption = "default",
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key of a new client and print it; it can't be shown again."""
    if rate < 0:
        raise StackProblem(f"--rate is how many requests a second, or 0 for no limit; not {rate}.")
    try:
        key = _key_file(name, file).new(label, _scopes(scope), rate or None, client)
    except ClientRefused as error:
        raise StackProblem(str(error)) from None
    _print_key(key, as_json=as_json)


@keys_app.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `orders keys list` shows it.")],
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Revoke the old key at once; else it stays valid.")
    ] = False,
    name: NameOption = "default",
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make another key for a key's client, with the same scopes and rate, and print it."""
    key = _key_file(name, file).rotate(key_id, revoke=revoke)
    if key is None:
        raise _no_key(key_id)
    _print_key(key, as_json=as_json)


@keys_app.command("list")
def list_keys(
    name: NameOption = "default", file: FileOption = None, as_json: JsonOption = False
) -> None:
    """List all keys, revoked ones too; never the keys themselves."""
    rows = [_row(key) for key in _key_file(name, file).keys()]  # noqa: SIM118  a KeyFile is no dict
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, COLUMNS)


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `orders keys list` shows it.")],
    name: NameOption = "default",
    file: FileOption = None,
) -> None:
    """Revoke a key."""
    if not _key_file(name, file).revoke(key_id):
        raise _no_key(key_id)


def _no_key(key_id: str) -> StackProblem:
    return StackProblem(f"There is no key {key_id!r}; `orders keys list` shows them.")


def _print_key(key: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": key, "id": key.partition(".")[0]})
    else:
        typer.echo(key)


def _key_file(name: str, file: Path | None) -> KeyFile:
    if file is not None:
        return KeyFile(file)
    stack, _ = state.known(name)
    return KeyFile(Path(stack.keys_file))


def _scopes(names: list[str] | None) -> frozenset[Scope]:
    """Return the scopes of those names; all of them where none is named."""
    known: tuple[Scope, ...] = get_args(Scope)
    if not set(names or ()) <= set(known):
        raise StackProblem(f"A scope is one of {', '.join(sorted(SCOPES))}.")
    return frozenset(scope for scope in known if not names or scope in names)


def _row(key: ApiKey) -> dict[str, object]:
    """Return what may be shown of a key: all but its hash."""
    return {
        "id": key.id,
        "client": key.client,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "rate": key.rate,
        "createdAt": key.created_at.isoformat(timespec="seconds"),
        "revoked": key.revoked,
    }
