"""A service with a bad setting doesn't start, and says which in a sentence."""

from __future__ import annotations

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
    assert told == f"Value error, {both} go together.\n"
