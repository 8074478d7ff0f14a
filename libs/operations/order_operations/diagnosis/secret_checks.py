"""Findings about secrets that nobody has changed for long: notices. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from order_operations.diagnosis.facts import Facts
from order_operations.diagnosis.finding import Code, Finding, Severity
from order_operations.diagnosis.process_checks import alive
from order_operations.diagnosis.wording import lasting

_MATTERS: Final = "The longer a {what} is used, the more places have it."


def keys(facts: Facts) -> Iterator[Finding]:
    """API keys that should be changed."""
    for it in facts.keys:
        age = facts.at - it.created_at
        if age > facts.secret_age:
            yield Finding(
                Code.KEY_OLD,
                Severity.NOTICE,
                f"The API key {it.id} is {lasting(age.total_seconds())} old.",
                _MATTERS.format(what="key"),
                f"`orders keys rotate {it.id}`",
                subject=it.id,
            )


def secrets(facts: Facts) -> Iterator[Finding]:
    """Secrets and logins in files that are unchanged for too long, the oldest of each name."""
    since: dict[tuple[str, str], datetime] = {}
    for it in alive(facts):
        for name, at in it.secrets.items():
            since[it.service, name] = min(at, since.get((it.service, name), at))
    for (service, name), at in since.items():
        yield from _old(facts, f"{service} {name}", f"secret {name} of the {service}", at)
    for login in facts.logins:
        what = f"login in {login.profile}"
        yield from _old(facts, what, what, login.unchanged_since)


def _old(facts: Facts, subject: str, what: str, since: datetime) -> Iterator[Finding]:
    age = facts.at - since
    if age > facts.secret_age:
        yield Finding(
            Code.SECRET_OLD,
            Severity.NOTICE,
            f"The {what} is unchanged for {lasting(age.total_seconds())} at least.",
            _MATTERS.format(what="secret"),
            "SECURITY.md says of each how it is changed while everything runs.",
            subject=subject,
            since=since,
        )
