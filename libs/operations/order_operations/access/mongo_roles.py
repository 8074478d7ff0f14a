"""A database's roles made what the workloads need; its users are an operator's affair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import OperationFailure

from order_operations.access.plan import AccessPlan, Holdings, access_steps, without_revoking
from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.problems import OperationFailed
from order_runtime.access.rights import MongoRight
from order_runtime.mongo.client import Document

NO_ACCESS_CONTROL: Final = (
    "MongoDB has no access control: its roles bind nobody until it is started with --auth or a"
    " keyFile."
)
_UNAUTHORIZED: Final = 13


def plan(address: MongoAddress, wanted: Holdings[MongoRight]) -> AccessPlan[MongoRight]:
    """
    Return the rights that *wanted* roles lack, and those that they have beyond it.

    Other roles don't count. Raises OperationFailed where MongoDB doesn't answer, or doesn't let
    this client see its roles.
    """
    with _database(address) as database:
        return _planned(database, wanted, _roles(database, wanted))


def apply(
    address: MongoAddress, wanted: Holdings[MongoRight], *, revoke: bool = True
) -> AccessPlan[MongoRight]:
    """
    Do the steps of `plan`, role by role, and return them; raises OperationFailed as above.

    Without *revoke* rights are only granted.
    """
    with _database(address) as database:
        roles = _roles(database, wanted)
        planned = _planned(database, wanted, roles)
        if not revoke:
            planned = without_revoking(planned)
        for role in dict.fromkeys(it.holder for it in planned.steps):
            privileges = _privileges(address.database, wanted[role])
            if role not in roles:
                database.command({"createRole": role, "privileges": privileges, "roles": []})
            elif revoke:
                database.command({"updateRole": role, "privileges": privileges, "roles": []})
            else:
                database.command({"grantPrivilegesToRole": role, "privileges": privileges})
        return planned


def _planned(
    database: Database[Document], wanted: Holdings[MongoRight], roles: Mapping[str, Document]
) -> AccessPlan[MongoRight]:
    found = {name: frozenset(_rights(database.name, it)) for name, it in roles.items()}
    problem = None if _knows_who_asks(database) else NO_ACCESS_CONTROL
    return AccessPlan(access_steps(wanted, found), problem)


def _roles(database: Database[Document], wanted: Iterable[str]) -> dict[str, Document]:
    """Return those of the *wanted* roles that exist."""
    names = [{"role": it, "db": database.name} for it in wanted]
    found = database.command({"rolesInfo": names, "showPrivileges": True})
    return {it["role"]: it for it in found["roles"]}


def _knows_who_asks(database: Database[Document]) -> bool:
    """Return whether this client is a user: rights are asked of it, since it was let see roles."""
    status = database.command("connectionStatus")
    return bool(status["authInfo"]["authenticatedUsers"])


def _rights(database: str, role: Document) -> Iterator[MongoRight]:
    """Yield the rights of a role, those that it has from other roles included."""
    for privilege in role["inheritedPrivileges"]:
        resource = privilege["resource"]
        own = resource.get("db") == database
        name = resource.get("collection", "") if own else str(resource)
        yield from (MongoRight(name, action) for action in privilege["actions"])


def _privileges(database: str, rights: Iterable[MongoRight]) -> list[dict[str, Any]]:
    actions: dict[str, list[str]] = {}
    for it in rights:
        actions.setdefault(it.collection, []).append(it.operation)
    return [
        {"resource": {"db": database, "collection": name}, "actions": sorted(actions[name])}
        for name in sorted(actions)
    ]


@contextmanager
def _database(address: MongoAddress) -> Iterator[Database[Document]]:
    with open_database(address) as database:
        try:
            yield database
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            raise OperationFailed(
                f"MongoDB refuses: to see roles of the database {address.database} takes the action"
                " viewRole on it, and to change them the role userAdmin."
            ) from error
