"""The login to a Kafka and a MongoDB that aren't the stack's own, from the environment."""

from __future__ import annotations

from pydantic import ValidationError

from order_runtime.process.connection_settings import (
    PREFIX,
    ConnectionSettings,
    settings_sentences,
)
from order_runtime.process.secret_files import SecretFileError, secret_variables
from order_stack.problems import StackProblem


def connection_settings() -> ConnectionSettings:
    """Return what the environment says; raises StackProblem with a sentence for what is wrong."""
    try:
        return ConnectionSettings()
    except SecretFileError as error:
        raise StackProblem(" ".join(error.args)) from None
    except ValidationError as error:
        raise StackProblem(" ".join(settings_sentences(error))) from None


def inherited_variables(*, own_kafka: bool, own_mongo: bool) -> tuple[str, ...]:
    """
    Return the settings that services take from the caller's environment at each start.

    Those of the stack's own backends would be wrong for them.
    """
    own = ("kafka_" if own_kafka else "-", "mongo_" if own_mongo else "-")
    names = [f"{PREFIX}{it.upper()}" for it in ConnectionSettings.model_fields if it[:6] not in own]
    secrets = {f"{it}_FILE" for it in secret_variables(ConnectionSettings).values()}
    return (*names, *(it for it in sorted(secrets) if it.removesuffix("_FILE") in names))
