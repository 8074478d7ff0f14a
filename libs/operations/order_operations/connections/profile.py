"""A profile: a file of settings that names a system, and lets a client in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from order_operations.connections.system_address import DEFAULT_DATABASE, MongoAddress
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress
from order_runtime.process.connection_settings import (
    PREFIX,
    ConnectionSettings,
    settings_sentences,
)
from order_runtime.process.secret_files import SecretFileError, read_secret, secret_variables

_FILE: Final = "_FILE"


class Profile(ConnectionSettings):
    """The addresses of Kafka and MongoDB with a login to both; one of the two may be left out."""

    kafka: str = ""
    mongo: str = Field(default="", repr=False)
    database: str = DEFAULT_DATABASE

    def kafka_address(self) -> KafkaAddress:
        """Return where Kafka is; raises OperationFailed where the profile doesn't say it."""
        if not self.kafka:
            raise OperationFailed(f"The profile has no {PREFIX}KAFKA.")
        return self.address(self.kafka)

    def mongo_address(self) -> MongoAddress:
        """Return where MongoDB is; raises OperationFailed where the profile doesn't say it."""
        if not self.mongo:
            raise OperationFailed(f"The profile has no {PREFIX}MONGO.")
        return MongoAddress(self.mongo_with_tls(self.mongo), self.database)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The file says it all: half a login from the environment would be somebody else's.
        return (init_settings,)


def read_profile(file: Path) -> Profile:
    """
    Return what *file* says: lines NAME=VALUE, named as the services' settings are.

    A secret may be given by the path of a file, as `ORDERMILL_MONGO_FILE`. Raises OperationFailed
    with a sentence for what is wrong; no sentence holds a value.
    """
    given = profile_variables(file)
    known = {f"{PREFIX}{name.upper()}": name for name in Profile.model_fields}
    files = _secret_files()
    if unknown := sorted(given.keys() - known.keys() - files):
        raise OperationFailed(f"{file}: {unknown[0]} is not a setting of a profile.")
    fields = {known[name]: value for name, value in given.items() if name in known}
    try:
        secrets = {
            known[it.removesuffix(_FILE)]: read_secret(Path(path))
            for it, path in given.items()
            if it in files
        }
        return Profile.model_validate({**fields, **secrets})
    except SecretFileError as error:
        raise OperationFailed(f"{file}: {error}.") from None
    except ValidationError as error:
        raise OperationFailed(f"{file}: {' '.join(settings_sentences(error))}") from None


def changed_at(file: Path) -> datetime | None:
    """Return when a profile or a secret's file that it names was changed last; None of one gone."""
    variables = profile_variables(file)
    secrets = [Path(path) for name, path in variables.items() if name in _secret_files()]
    try:
        return max(datetime.fromtimestamp(it.stat().st_mtime, UTC) for it in (file, *secrets))
    except OSError:
        return None


def profile_variables(file: Path) -> dict[str, str]:
    """Return the lines of *file* as variables; raises OperationFailed where it can't be read."""
    try:
        with file.open(encoding="utf-8") as lines:
            found = dotenv_values(stream=lines, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise OperationFailed(f"{file} can't be read ({type(error).__name__}).") from None
    return {name: value for name, value in found.items() if value is not None}


def _secret_files() -> set[str]:
    """Return the variables that name a file with a secret."""
    return {f"{it}{_FILE}" for it in secret_variables(Profile).values()}
