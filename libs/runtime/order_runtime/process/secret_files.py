"""Secrets in files: what `ORDERMILL_<NAME>_FILE` names holds the setting `ORDERMILL_<NAME>`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource


class SecretFileError(ValueError):
    """What is wrong with a secret's file; never says what is in it."""


class SecretFileSource(PydanticBaseSettingsSource):
    """
    Reads each secret whose file is given; a secret is a field that isn't printed.

    Raises SecretFileError with a sentence for each that is wrong.
    """

    def __call__(self) -> dict[str, Any]:
        found, wrong = {}, []
        for name, variable in secret_variables(self.settings_cls).items():
            file = f"{variable}_FILE"
            if file not in os.environ:
                continue
            if variable in os.environ:
                wrong.append(f"{variable} and {file} are both given: give one of the two.")
                continue
            try:
                found[name] = read_secret(Path(os.environ[file]))
            except SecretFileError as error:
                wrong.append(f"{file}: {error}.")
        if wrong:
            raise SecretFileError(*wrong)
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return nothing: all fields are read at once."""
        return None, field_name, False


def secret_variables(settings: type[BaseSettings]) -> dict[str, str]:
    """Return the secrets among the fields, each with its variable."""
    prefix = settings.model_config.get("env_prefix", "")
    fields = settings.model_fields.items()
    return {name: f"{prefix}{name.upper()}" for name, field in fields if not field.repr}


def secret_path(variable: str) -> Path | None:
    """Return the file that *variable* was read from, for a secret that is read again."""
    path = os.environ.get(f"{variable}_FILE")
    return Path(path) if path is not None else None


def read_secret(path: Path) -> str:
    """Return the text of a file without the end of its last line; raises SecretFileError."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        # Not the error itself: it may quote what is in the file.
        raise SecretFileError(f"the file can't be read ({type(error).__name__})") from None
    if not text.strip():
        raise SecretFileError("the file is empty")
    return text
