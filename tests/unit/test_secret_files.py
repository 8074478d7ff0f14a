"""Each secret may be given as a file; what is wrong with one is said without what is in it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from pydantic import Field

from order_runtime.process.secret_files import secret_variables
from order_runtime.process.settings import ServiceSettings, load

SERVICES = ("gateway", "order_writer", "enricher", "action_trigger")
HIDDEN = "hidden-password-of-at-least-32-characters"
PLAIN = {"KAFKA": "localhost:9092", "INSTANCE": "tested-1", "HEALTH_PORT": "9001"}


class Settings(ServiceSettings):
    token: str = Field(default="none-of-the-two-is-given", min_length=20, repr=False)
    ca_file: Path | None = None


@pytest.fixture(autouse=True)
def _given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLAIN.items():
        monkeypatch.setenv(f"ORDERMILL_{name}", value)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{HIDDEN}\n")
    return path


def refusal(capsys: pytest.CaptureFixture[str], kind: type[ServiceSettings] = Settings) -> str:
    with pytest.raises(SystemExit) as left:
        load(kind)
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert "hidden" not in told
    return told


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_its_file(
    monkeypatch: pytest.MonkeyPatch, secret: Path, end: str
) -> None:
    """The end of its line is the editor's."""
    secret.write_bytes(f"mongodb://user:{HIDDEN} @localhost{end}".encode())
    monkeypatch.setenv("ORDERMILL_MONGO_FILE", str(secret))

    settings = load(Settings)

    assert settings.mongo == f"mongodb://user:{HIDDEN} @localhost"
    assert HIDDEN not in repr(settings)


@pytest.mark.parametrize("service", SERVICES)
def test_every_secret_of_a_service_may_be_a_file(
    service: str, monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    kind: type[ServiceSettings] = import_module(f"{service}.settings").Settings
    for name, value in {
        "PORT": "8080",
        "PUBLIC_URL": "https://orders.example.com",
        "KEYS_FILE": "/etc/orders/keys.json",
        "WEBHOOKS_FILE": "/etc/orders/webhooks.toml",
    }.items():
        if name.lower() in kind.model_fields:
            monkeypatch.setenv(f"ORDERMILL_{name}", value)
    secrets = secret_variables(kind)
    for variable in secrets.values():
        monkeypatch.setenv(f"{variable}_FILE", str(secret))

    settings = load(kind)

    assert {getattr(settings, name) for name in secrets} == {HIDDEN}


@pytest.mark.parametrize("service", SERVICES)
def test_no_setting_is_named_as_a_secrets_file(service: str) -> None:
    """Its value would be taken for the path of that secret."""
    kind: type[ServiceSettings] = import_module(f"{service}.settings").Settings

    assert "mongo" in secret_variables(kind)
    assert {f"{name}_file" for name in secret_variables(kind)} & set(kind.model_fields) == set()


def test_a_setting_that_is_a_path_is_not_read(
    monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    monkeypatch.setenv("ORDERMILL_MONGO", "mongodb://localhost")
    monkeypatch.setenv("ORDERMILL_CA_FILE", str(secret))

    assert load(Settings).ca_file == secret


def test_what_is_no_secret_is_not_given_as_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: Path
) -> None:
    monkeypatch.setenv("ORDERMILL_DATABASE_FILE", str(secret))

    assert refusal(capsys) == "ORDERMILL_DATABASE_FILE is not a setting of this service.\n"


def test_a_secret_and_its_file_are_not_both_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: Path
) -> None:
    """Which one is meant, nobody could tell: after a rotation, the wrong one would be used."""
    monkeypatch.setenv("ORDERMILL_MONGO", "mongodb://hidden@localhost")
    monkeypatch.setenv("ORDERMILL_MONGO_FILE", str(secret))

    told = refusal(capsys)

    both = "ORDERMILL_MONGO and ORDERMILL_MONGO_FILE are both given"
    assert told == f"{both}: give one of the two.\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the file can't be read (FileNotFoundError)"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"hidden\xff", "the file can't be read (UnicodeDecodeError)"),
    ],
)
def test_a_file_without_a_secret_is_refused_by_its_setting(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes | None,
    reason: str,
) -> None:
    path = tmp_path / "hidden"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ORDERMILL_MONGO_FILE", str(path))

    assert refusal(capsys) == f"ORDERMILL_MONGO_FILE: {reason}.\n"


def test_each_file_that_is_wrong_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("MONGO", "TOKEN"):
        monkeypatch.setenv(f"ORDERMILL_{name}_FILE", str(tmp_path / "hidden"))

    lines = refusal(capsys).splitlines()

    assert [line.partition(":")[0] for line in lines] == [
        "ORDERMILL_MONGO_FILE",
        "ORDERMILL_TOKEN_FILE",
    ]


def test_a_bad_secret_of_a_file_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: Path
) -> None:
    secret.write_text("hidden")
    monkeypatch.setenv("ORDERMILL_MONGO", "mongodb://localhost")
    monkeypatch.setenv("ORDERMILL_TOKEN_FILE", str(secret))

    assert refusal(capsys).startswith("ORDERMILL_TOKEN:")
