"""What TLS, logins and rights cost: the same work on a secure stack and on a plain one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench.contender import OURS, Contender, Stage
from bench.environment import Environment
from bench.environment import environment as started
from bench.stages import accept, store

SECURE: Final = "secure"


@contextmanager
def accepting(plain: Environment) -> Iterator[Sequence[Contender]]:
    with _secure(plain, "gateway") as secure:
        endpoints = [accept.endpoint(plain, OURS), accept.endpoint(secure, SECURE)]
        yield [it.contender() for it in endpoints]


@contextmanager
def storing(plain: Environment) -> Iterator[Sequence[Contender]]:
    with (
        _secure(plain, "order-writer") as secure,
        store.writer(plain, OURS) as one,
        store.writer(secure, SECURE) as other,
    ):
        yield [one.contender(), other.contender()]


@contextmanager
def _secure(plain: Environment, service: str) -> Iterator[Environment]:
    """Start a secure stack beside the plain one, of which only *service* goes on."""
    with started(peers=False, scale=plain.scale, options=("--secure",)) as secure:
        secure.stop_all_but({service})
        yield secure


STAGES: Final = (
    Stage("secure-accept", "POST /orders, plain and secure", ("gateway",), accepting),
    Stage("secure-store", "commands stored, plain and secure", ("order-writer",), storing),
)
