"""Whether MongoDB is usable, as a client sees it."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo.errors import PyMongoError

from order_operations.connections.mongo_client import connect
from order_operations.problems import OperationFailed
from order_stack.problems import StackProblem

PROBE_SECONDS = 2.0
CHECK_SECONDS = 10.0


def is_member(uri: str) -> bool:
    """Tell whether the server at *uri* is primary, or a secondary that follows one."""
    try:
        with connect(uri, PROBE_SECONDS) as client:
            return serves(client.admin.command("hello"))
    except PyMongoError:
        return False


def serves(hello: Mapping[str, object]) -> bool:
    """Tell it from the answer to `hello`; a member that is just being elected doesn't yet."""
    follows = hello.get("secondary") and hello.get("primary") not in (None, hello.get("me"))
    return bool(hello.get("isWritablePrimary") or follows)


def check_usable(uri: str) -> None:
    """Raise StackProblem where a MongoDB of the user's doesn't answer or has no transactions."""
    try:
        with connect(uri, CHECK_SECONDS) as client:
            hello = client.admin.command("hello")
    except (PyMongoError, OperationFailed) as error:
        raise StackProblem(
            f"No MongoDB answers at the address given with --mongo ({type(error).__name__})."
        ) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StackProblem(
            "The MongoDB given with --mongo is no replica set, so it has no transactions; "
            "start it with --replSet and initiate it."
        )
