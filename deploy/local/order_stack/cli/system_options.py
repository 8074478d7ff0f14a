"""The options that say which system a command works on: a stack's, or any Kafka and MongoDB."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from order_contracts.topics import OPERATOR
from order_operations.connections.profile import Profile, read_profile
from order_operations.connections.system_address import (
    DEFAULT_DATABASE,
    MongoAddress,
    SystemAddress,
)
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster import state
from order_stack.cluster.backend_login import connection_settings
from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem

DEFAULT_STACK: Final = "default"


@dataclass(frozen=True, slots=True)
class SystemOptions:
    """
    Where the system is, as far as the command line and the environment say it.

    Once a profile, Kafka or MongoDB is given, nothing is taken from a stack: a command must not
    write to the Kafka of one system and read the database of another.
    """

    stack: str = DEFAULT_STACK
    kafka: str | None = None
    mongo: str | None = field(default=None, repr=False)
    database: str | None = None
    profile: Path | None = None

    def kafka_address(self, workload: str = OPERATOR) -> KafkaAddress:
        """Return Kafka's address; in a secure stack, with the login of *workload*."""
        if self.profile:
            return self._profile(self.profile).kafka_address()
        if self.kafka:
            return connection_settings().address(self.kafka)
        if self.mongo:
            raise StackProblem("MongoDB is given and Kafka isn't: pass --kafka, or ORDERS_KAFKA.")
        return self._stack().kafka_address(workload)

    def mongo_address(self, workload: str = OPERATOR) -> MongoAddress:
        """Return the database's address; in a secure stack, with the login of *workload*."""
        if self.profile:
            found = self._profile(self.profile).mongo_address()
        elif self.mongo:
            uri = connection_settings().mongo_with_tls(self.mongo)
            found = MongoAddress(uri, DEFAULT_DATABASE)
        elif self.kafka:
            raise StackProblem("Kafka is given and MongoDB isn't: pass --mongo, or ORDERS_MONGO.")
        else:
            found = self._stack().mongo_address(workload)
        return MongoAddress(found.uri, self.database or found.database)

    def address(self) -> SystemAddress:
        return SystemAddress(self.kafka_address(), self.mongo_address())

    def keys_file(self) -> Path | None:
        """Return the file of the API keys of a stack; of another system it isn't known where."""
        if self.profile or self.kafka or self.mongo:
            return None
        return Path(self._stack().keys_file)

    def profiles(self) -> list[Path]:
        """Return the files of the logins that are in use, as far as they are on this machine."""
        if self.profile:
            return [self.profile]
        return [] if self.kafka or self.mongo else self._stack().profiles()

    def _profile(self, file: Path) -> Profile:
        """Return the profile, with the addresses that are given beside it."""
        given = {"kafka": self.kafka, "mongo": self.mongo}
        return read_profile(file).model_copy(update={it: to for it, to in given.items() if to})

    def _stack(self) -> Stack:
        stack = state.load(state.folder_of(self.stack))
        if stack is None:
            raise StackProblem(
                f"No stack {self.stack!r} is up; `orders up --name {self.stack}` starts it, and "
                "--kafka and --mongo name a system that is elsewhere."
            )
        return stack


def options_of(
    name: str | None,
    kafka: str | None,
    mongo: str | None,
    database: str | None,
    profile: Path | None,
    environ: Mapping[str, str],
) -> SystemOptions:
    """Return the options; where a stack is named, the environment doesn't count."""
    variables = environ if name is None else {}
    file = profile or variables.get("ORDERS_PROFILE")
    return SystemOptions(
        stack=name or DEFAULT_STACK,
        kafka=kafka or variables.get("ORDERS_KAFKA"),
        mongo=mongo or variables.get("ORDERS_MONGO"),
        database=database or variables.get("ORDERS_DATABASE"),
        profile=Path(file) if file else None,
    )


def _system(
    name: Annotated[
        str | None,
        typer.Option("--name", help="Which stack, `default` by default; several run side by side."),
    ] = None,
    kafka: Annotated[
        str | None,
        typer.Option(
            "--kafka", metavar="HOST:PORT", help="This Kafka instead of a stack's; ORDERS_KAFKA."
        ),
    ] = None,
    mongo: Annotated[
        str | None,
        typer.Option(
            "--mongo",
            metavar="URI",
            help="This MongoDB instead of a stack's. Everybody on the machine sees arguments: "
            "give a URI that holds a password as ORDERS_MONGO.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", help=f"{DEFAULT_DATABASE} by default; ORDERS_DATABASE."),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Addresses and logins, as lines ORDERMILL_…=…; ORDERS_PROFILE.",
        ),
    ] = None,
) -> SystemOptions:
    return options_of(name, kafka, mongo, database, profile, os.environ)


def on_a_system(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options `--name`, `--kafka`, … in the place of its parameter `system`."""
    own = inspect.signature(command, eval_str=True).parameters
    options = inspect.signature(_system, eval_str=True).parameters

    @wraps(command)
    def run(**arguments: Any) -> None:
        system = _system(**{name: arguments.pop(name) for name in options})
        command(system=system, **arguments)

    parameters = [*(it for it in own.values() if it.name != "system"), *options.values()]
    # What typer reads the options from.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {it.name: it.annotation for it in parameters}
    return run
