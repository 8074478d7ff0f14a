"""The login to a Kafka that isn't the stack's own, from the environment: ORDERMILL_KAFKA_…"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from order_runtime.process.kafka_settings import (
    PREFIX,
    KafkaSecuritySettings,
    settings_sentences,
)
from order_stack.problems import StackProblem

VARIABLES: Final = tuple(f"{PREFIX}{name.upper()}" for name in KafkaSecuritySettings.model_fields)
"""Which the services of a stack take from the caller's environment; they are not saved."""


def kafka_security() -> KafkaSecuritySettings:
    """Return what the environment says; raises StackProblem with a sentence for what is wrong."""
    try:
        return KafkaSecuritySettings()
    except ValidationError as error:
        raise StackProblem(" ".join(settings_sentences(error))) from None
