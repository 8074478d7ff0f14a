"""Gathering: no question holds up the others, and what has no answer says why."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException
from pymongo.errors import OperationFailure

from order_operations.diagnosis.facts import Health
from order_operations.diagnosis.gather_mongodb import instance_of
from order_operations.diagnosis.health_probe import health_of
from order_operations.diagnosis.questions import NO_RIGHT, TOO_SLOW, Questions, reason
from order_operations.problems import OperationFailed
from order_runtime.documents.instances import (
    KEY_REFUSED,
    Condition,
    Identity,
    ReportedState,
    heartbeat_update,
)
from support.builders.system_facts import NOW, ago, instance

CLUSTER_REFUSED = KafkaError.CLUSTER_AUTHORIZATION_FAILED
LIMIT = 0.3  # seconds


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def refuse() -> NoReturn:
    raise OperationFailure("not authorized", 13)


def test_a_question_that_hangs_costs_the_common_limit_once(released: threading.Event) -> None:
    questions = Questions(time.monotonic() + LIMIT)
    began = time.monotonic()
    hanging = [questions.ask(f"slow {it}", released.wait, otherwise=False) for it in range(5)]
    quick = questions.ask("quick", lambda: 7, 0)
    refused = questions.ask("refused", refuse, None)

    assert (quick(), refused(), [it() for it in hanging]) == (7, None, [False] * 5)
    assert time.monotonic() - began < 5 * LIMIT
    slow = {f"slow {it}": TOO_SLOW for it in range(5)}
    assert questions.unanswered == {"refused": NO_RIGHT, **slow}


def of_another(cause: Exception) -> OperationFailed:
    error = OperationFailed("A sentence.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), NO_RIGHT),
        (KafkaException(KafkaError(KafkaError._TIMED_OUT)), TOO_SLOW),  # noqa: SLF001
        (KafkaException(KafkaError(KafkaError.NOT_CONTROLLER)), "NOT_CONTROLLER"),
        (of_another(KafkaException(KafkaError(CLUSTER_REFUSED))), NO_RIGHT),
        (OperationFailed("A sentence."), "A sentence"),
        (of_another(OperationFailure("not authorized", 13)), NO_RIGHT),
        (TimeoutError(), TOO_SLOW),
        (KeyError("personal"), "KeyError"),
    ],
    ids=lambda it: repr(it)[:40],
)
def test_why_there_is_no_answer_quotes_nothing(error: Exception, said: str) -> None:
    assert reason(error) == said


def test_a_process_is_read_as_it_reported_itself() -> None:
    identity = Identity("gateway", "gateway-1", "1.2.0", "machine-1", "127.0.0.1:1", 7, ago(60))
    condition = Condition(KEY_REFUSED, "a1b2", ago(9), count=2, last_at=ago(1))
    state = ReportedState(
        clock=ago(1),
        ready=True,
        waits_for={"kafka": ago(5)},
        stalled=["event loop"],
        conditions=[condition],
        certificates={"gateway": NOW},
        secrets={"metrics": ago(99)},
    )
    [stage] = heartbeat_update(identity, state)
    literal, _ = stage["$replaceWith"]["$mergeObjects"]

    found = instance_of({**literal["$literal"], "heartbeatAt": ago(2)})

    assert (found.service, found.name, found.health) == ("gateway", "gateway-1", "127.0.0.1:1")
    assert (found.waits_for, found.stalled) == ({"kafka": ago(5)}, ("event loop",))
    assert (found.conditions, found.certificates) == ((condition,), {"gateway": NOW})
    assert found.secrets == {"metrics": ago(99)}
    assert (found.stopped_at, found.failure) == (None, None)


def test_a_silent_process_is_frozen_dead_or_unknown_by_its_health_port() -> None:
    here = socket.gethostname()
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections, answers nothing
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        assert health_of(instance("gateway", host=here, health=address)) is Health.HANGS
        everywhere = address.replace("127.0.0.1", "0.0.0.0")  # noqa: S104
        assert health_of(instance("gateway", host=here, health=everywhere)) is Health.HANGS
        assert health_of(instance("gateway", host="elsewhere", health=address)) is Health.UNKNOWN
    assert health_of(instance("gateway", host=here, health=address)) is Health.REFUSED
