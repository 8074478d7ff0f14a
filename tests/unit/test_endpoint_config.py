"""The file that says where each action goes: read whole, or refused with one sentence."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from action_trigger.adapters.endpoint_config import (
    EndpointConfigError,
    parse_endpoints,
    read_config,
)
from action_trigger.domain.endpoint import RESERVED_HEADERS, Endpoint
from order_contracts.order import ActionName

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
DEFAULT = f'[default]\nurl = "https://trigger.example/hook"\nsecrets = ["{SECRET}"]\n'


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(size)).decode()


def endpoint_of(text: str, action: ActionName) -> Endpoint:
    (found,) = [route.endpoint for route in parse_endpoints(text).routes if action in route.actions]
    return found


def test_every_action_goes_to_the_default() -> None:
    (route,) = parse_endpoints(DEFAULT).routes
    assert set(route.actions) == set(ActionName)
    assert route.endpoint.keys == (SECRET,)
    assert route.endpoint.timeout_seconds == 15


def test_an_action_overrides_what_it_names_and_inherits_the_rest() -> None:
    text = DEFAULT + '[actions.ConfirmOrder]\nurl = "https://other.example/"\n'
    own = endpoint_of(text, ActionName.CONFIRM_ORDER)
    assert (own.url, own.keys) == ("https://other.example/", (SECRET,))
    assert endpoint_of(text, ActionName.CUSTOM).url == "https://trigger.example/hook"


def test_several_secrets_may_sign_and_headers_go_along() -> None:
    text = DEFAULT.replace(f'"{SECRET}"', f'"{SECRET}", "{OTHER}"')
    text += '[default.headers]\nAuthorization = "Bearer x"\n'
    found = endpoint_of(text, ActionName.CUSTOM)
    assert found.keys == (SECRET, OTHER)
    assert found.own_headers == {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT + "timeout_seconds = 0.001",
        DEFAULT + "timeout_seconds = 60",
        DEFAULT + "rate = 0.01",
        DEFAULT + "rate = 100000",
        DEFAULT.replace(SECRET, secret_of(24)),
        DEFAULT.replace(SECRET, secret_of(64)),
        DEFAULT.replace(SECRET, secret_of(25).rstrip("=")),
        "allow_private_addresses = true\n" + DEFAULT.replace("https://", "http://"),
        DEFAULT.replace(f'"{SECRET}"', ", ".join([f'"{SECRET}"'] * 5)),
        DEFAULT + f'[default.headers]\nX = "{"x" * 4_096}"',
    ],
)
def test_values_at_their_bounds_are_accepted(text: str) -> None:
    assert parse_endpoints(text).routes


@pytest.mark.parametrize("header", sorted(RESERVED_HEADERS))
def test_headers_that_the_sender_sets_itself_are_refused(header: str) -> None:
    with pytest.raises(EndpointConfigError, match="is set by us"):
        parse_endpoints(DEFAULT + f'[default.headers]\n{header} = "x"')


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "default"),
        ("[default", "not TOML"),
        ("default = 3", "default"),
        (DEFAULT.replace("https", "ftp"), "default.url"),
        (DEFAULT.replace("https://", "https://user:pw@"), "default.url"),
        (DEFAULT.replace("https://trigger.example/hook", "trigger"), "default.url"),
        (DEFAULT.replace("trigger.example", "a..b"), "default.url"),
        (DEFAULT.replace("trigger.example", "x" * 70), "default.url"),
        (DEFAULT.replace("whsec_", ""), "default.secrets.0"),
        (DEFAULT.replace("LaLaSw", "La*"), "default.secrets.0"),
        (DEFAULT.replace(f'"{SECRET}"', ""), "default.secrets"),
        (DEFAULT + "timeout_seconds = 0", "default.timeout_seconds"),
        (DEFAULT + "timeout_seconds = 60.1", "default.timeout_seconds"),
        (DEFAULT + "timeout = 3", "default.timeout"),
        (DEFAULT + "rate = 0.009", "default.rate"),
        (DEFAULT + "rate = 100001", "default.rate"),
        (DEFAULT.replace(SECRET, secret_of(23)), "default.secrets.0"),
        (DEFAULT.replace(SECRET, secret_of(65)), "default.secrets.0"),
        (DEFAULT.replace("https://", "https://user@"), "default.url"),
        (DEFAULT.replace("https://", "https://:pw@"), "default.url"),
        (DEFAULT.replace("//trigger.example", ""), "default.url"),
        (DEFAULT.replace(f'"{SECRET}"', ", ".join([f'"{SECRET}"'] * 6)), "default.secrets"),
        (DEFAULT + f'[default.headers]\nX = "{"x" * 4_097}"', "default.headers"),
        (DEFAULT + '[default.headers]\nHOST = "x"', "default.headers"),
        (DEFAULT + "rate = 0", "default.rate"),
        (DEFAULT + '[default.headers]\nWebhook-Id = "x"', "default.headers"),
        (DEFAULT + '[default.headers]\n"a b" = "x"', "default.headers"),
        (DEFAULT + '[default.headers]\nAuthorization = "Bearer x\\n"', "default.headers"),
        (DEFAULT + "[actions.ConfirmNothing]\n", "actions.ConfirmNothing"),
        (DEFAULT + "[actions]\nCustom = 3\n", "actions.Custom"),
        ("allow_private_addresses = 7\n" + DEFAULT, "allow_private_addresses"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_the_key_and_no_value(text: str, key: str) -> None:
    with pytest.raises(EndpointConfigError) as refused:
        parse_endpoints(text)
    said = str(refused.value)
    assert key in said
    assert "\n" not in said
    assert SECRET[6:20] not in said
    assert "pw@" not in said


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EndpointConfigError, match="can't be read"):
        read_config(tmp_path / "none.toml")


def test_a_private_address_is_refused_unless_it_is_allowed() -> None:
    private = DEFAULT.replace("trigger.example", "[::ffff:10.0.0.8]")
    with pytest.raises(EndpointConfigError, match="allow_private_addresses"):
        parse_endpoints(private)
    assert parse_endpoints("allow_private_addresses = true\n" + private).allow_private_addresses


def test_no_secret_is_in_a_repr() -> None:
    text = DEFAULT + '[default.headers]\nAuthorization = "Bearer x"\n'
    assert SECRET not in repr(parse_endpoints(text))
    assert "Bearer" not in repr(parse_endpoints(text))


def test_http_is_refused_where_addresses_are_public() -> None:
    """A webhook holds an order: personal data in clear."""
    plaintext = DEFAULT.replace("https://", "http://")

    with pytest.raises(EndpointConfigError, match=r"the url for .*ConfirmOrder.* is not https"):
        parse_endpoints(plaintext)
    assert parse_endpoints("allow_private_addresses = true\n" + plaintext).routes


def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(
        EndpointConfigError, match=r"must not hold a password; use a header"
    ) as found:
        parse_endpoints(DEFAULT.replace("https://", "https://user:hidden@"))

    assert "hidden" not in str(found.value)
