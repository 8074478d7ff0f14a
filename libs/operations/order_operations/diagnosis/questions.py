"""Questions asked at the same time, none of which is waited for beyond a common deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from pymongo.errors import OperationFailure, PyMongoError

from order_operations.problems import OperationFailed
from order_runtime.process.refused_rights import DENIED, UNAUTHORIZED

T = TypeVar("T")

NO_RIGHT: Final = "this login lacks a right for it"
TOO_SLOW: Final = "no answer in time"
_DENIED: Final = DENIED | {KafkaError.CLUSTER_AUTHORIZATION_FAILED}


class Questions:
    """
    Asks each question in a thread of its own, until *deadline* of the monotonic clock.

    A thread that isn't done by then is left behind; it ends with its own time limit, or with the
    process.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.unanswered: dict[str, str] = {}
        """By what was asked, why there is no answer; complete once all answers were taken."""

    def ask(self, about: str, question: Callable[[], T], otherwise: T) -> Callable[[], T]:
        """Ask now; return what waits for the answer, and returns *otherwise* where none comes."""
        future: Future[T] = Future()
        threading.Thread(target=_answer, args=(future, question), daemon=True).start()

        def answer() -> T:
            left = max(0.0, self._deadline - time.monotonic())
            try:
                return future.result(left)
            except Exception as error:  # noqa: BLE001  one question must not end the others
                self.unanswered[about] = reason(error)
                return otherwise

        return answer


def _answer(future: Future[T], question: Callable[[], T]) -> None:
    try:
        future.set_result(question())
    except Exception as error:  # noqa: BLE001  raised where the answer is taken
        future.set_exception(error)


def reason(error: Exception) -> str:  # noqa: PLR0911  one for each kind of error
    """Return why there is no answer, in words that quote neither a document nor an address."""
    cause = error.__cause__
    match error:
        case OperationFailed() if isinstance(cause, Exception):
            return reason(cause)
        case OperationFailed():
            return str(error).rstrip(".")
        case TimeoutError():
            return TOO_SLOW
        case KafkaException() if error.args[0].code() in _DENIED:
            return NO_RIGHT
        case KafkaException():
            return TOO_SLOW if error.args[0].code() < 0 else str(error.args[0].name())
        case OperationFailure() if error.code == UNAUTHORIZED:
            return NO_RIGHT
        case PyMongoError() if error.timeout:
            return TOO_SLOW
    return type(error).__name__
