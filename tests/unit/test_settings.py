"""A service with a bad setting doesn't start, and says which in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import pytest

from gateway.settings import Settings as GatewaySettings
from order_runtime.process.settings import ServiceSettings, load, secret_list
from order_writer.settings import Settings as WriterSettings

WRITER = {
    "KAFKA": "localhost:9092",
    "MONGO": "mongodb://user:hidden-password@localhost",
    "INSTANCE": "order-writer-1",
    "HEALTH_PORT": "9001",
}
GATEWAY = WRITER | {
    "PORT": "8080",
    "PUBLIC_URL": "https://orders.example.com/",
    "KEYS_FILE": "/etc/orders/keys.json",
    "JOB_SECRETS": "n" * 32 + "," + "o" * 32,
}


def given(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], **more: str) -> None:
    for name, value in (settings | more).items():
        monkeypatch.setenv(f"ORDERMILL_{name}", value)


def refusal(kind: type[ServiceSettings], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        load(kind)
    assert left.value.code == 2
    return capsys.readouterr().err


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, WRITER, BATCH_COMMANDS="500")
    settings = load(WriterSettings)
    assert (settings.kafka, settings.batch_commands) == ("localhost:9092", 500)
    assert settings.database == "ordermill"


def test_an_unknown_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt one would silently leave the default."""
    given(monkeypatch, WRITER, BATCH_COMANDS="500")
    told = refusal(WriterSettings, capsys)
    assert told == "ORDERMILL_BATCH_COMANDS is not a setting of this service.\n"


def test_every_bad_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, {"HEALTH_PORT": "0", "LOG_LEVEL": "loud"})
    told = refusal(WriterSettings, capsys).splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "ORDERMILL_KAFKA",
        "ORDERMILL_MONGO",
        "ORDERMILL_INSTANCE",
        "ORDERMILL_HEALTH_PORT",
        "ORDERMILL_LOG_LEVEL",
    ]


def test_a_bad_secret_is_named_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, GATEWAY, JOB_SECRETS="too-short-a-secret")
    told = refusal(GatewaySettings, capsys)
    assert told.startswith("ORDERMILL_JOB_SECRETS:")
    assert "too-short-a-secret" not in told


def test_settings_are_printed_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, GATEWAY)
    printed = repr(load(GatewaySettings))
    assert "hidden-password" not in printed
    assert "nnnn" not in printed


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, WRITER)
    with pytest.raises(ValueError, match="frozen"):
        load(WriterSettings).kafka = "elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize(
    "url",
    ["https://orders.example.com", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:1"],
)
def test_links_are_https_or_of_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    given(monkeypatch, GATEWAY, PUBLIC_URL=f"{url}/")
    assert load(GatewaySettings).public_url == url


@pytest.mark.parametrize("url", ["http://orders.example.com", "orders.example.com", "ftp://a", ""])
def test_any_other_base_of_links_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    given(monkeypatch, GATEWAY, PUBLIC_URL=url)
    assert "ORDERMILL_PUBLIC_URL" in refusal(GatewaySettings, capsys)


@pytest.mark.parametrize("secrets", ["", ",", " , "])
def test_a_gateway_needs_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secrets: str
) -> None:
    given(monkeypatch, GATEWAY, JOB_SECRETS=secrets)
    assert "ORDERMILL_JOB_SECRETS" in refusal(GatewaySettings, capsys)


def test_secrets_are_listed_newest_first() -> None:
    assert secret_list("new, old,") == [b"new", b"old"]


@pytest.mark.parametrize("alone", ["TLS_CERT_FILE", "TLS_KEY_FILE"])
def test_a_certificate_and_its_key_go_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], alone: str
) -> None:
    given(monkeypatch, GATEWAY, **{alone: "/etc/orders/tls.pem"})
    told = refusal(GatewaySettings, capsys)
    both = "ORDERMILL_TLS_CERT_FILE and ORDERMILL_TLS_KEY_FILE"
    assert told == f"{both} go together.\n"


@pytest.mark.parametrize("proxies", ["proxy.example.com", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1;"])
def test_proxies_are_trusted_by_address_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], proxies: str
) -> None:
    given(monkeypatch, GATEWAY, TRUSTED_PROXIES=proxies)
    told = refusal(GatewaySettings, capsys)
    assert told.startswith("ORDERMILL_TRUSTED_PROXIES: must be addresses or networks")


NO_OPTION = "has an option that is unknown, or a value that its option can't have"
NO_URI = "must be a URI of MongoDB, its user and password percent-encoded"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("mongodb://user:hidden@@localhost", NO_URI),
        ("mongodb://user:hid/den-hidden@localhost", NO_URI),
        ("mongodb://user:hidden@localhost:port", NO_URI),
        ("mongodb://user:pass?hidden=hidden@localhost", NO_OPTION),
        ("mongodb://user:hidden@localhost/?hidden=hidden", NO_OPTION),
        ("mongodb://user:hidden@localhost/?tls=hidden", NO_OPTION),
        ("mongodb://user:hidden@localhost/?tlsCAFile=/hidden", "names a file that can't be read"),
        ("user:hidden@localhost", NO_URI),
        ("", NO_URI),
    ],
)
def test_a_bad_uri_of_mongodb_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], uri: str, reason: str
) -> None:
    """The driver's own words hold parts of it."""
    given(monkeypatch, WRITER, MONGO=uri)
    assert refusal(WriterSettings, capsys) == f"ORDERMILL_MONGO: {reason}.\n"


@pytest.mark.parametrize("service", ["gateway", "order_writer", "enricher", "action_trigger"])
def test_whatever_is_wrong_no_secret_is_in_what_a_service_says(service: str) -> None:
    """Neither as a setting nor as the content of a file; the process itself, not its settings."""
    kind: type[ServiceSettings] = import_module(f"{service}.settings").Settings
    wrong = {name: f"hidden/{name}@x" for name in kind.model_fields}
    environment = {f"ORDERMILL_{name.upper()}": value for name, value in wrong.items()}
    command = [sys.executable, "-m", service]

    ended = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"ORDERMILL_MONGO: " in ended.stderr
    assert b"hidden" not in ended.stderr


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TRACES": "otlp"}, "ORDERMILL_TRACES is otlp: it needs ORDERMILL_TRACES_URL."),
        ({"TRACES": "jaeger", "TRACES_URL": "http://c"}, "ORDERMILL_TRACES: Input should be"),
        ({"TRACES_URL": "collector:4318"}, "ORDERMILL_TRACES_URL: must be a URL that begins"),
        ({"TRACES_URL": "https://me:hidden@c/v1"}, "ORDERMILL_TRACES_URL: must hold no login"),
        ({"TRACES_SAMPLE": "1.5"}, "ORDERMILL_TRACES_SAMPLE: Input should be less"),
    ],
)
def test_where_traces_go_is_checked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    sentence: str,
) -> None:
    given(monkeypatch, WRITER, **settings)

    told = refusal(WriterSettings, capsys)

    assert sentence in told
    assert "hidden" not in told
