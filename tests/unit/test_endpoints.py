"""The file that says where each action goes: read whole, or refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_trigger.adapters.endpoint_config import (
    Endpoint,
    EndpointConfigError,
    parse_endpoints,
    read_config,
)
from action_trigger.adapters.ssrf_guard import is_private
from order_contracts.order import ActionName

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
DEFAULT = f'[default]\nurl = "https://trigger.example/hook"\nsecrets = ["{SECRET}"]\n'


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
        (DEFAULT + "timeout = 3", "default.timeout"),
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


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("0.0.0.0", True),  # noqa: S104
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("::ffff:192.168.0.1", True),
        ("224.0.0.1", True),
        ("64:ff9b::a9fe:a9fe", True),  # what it is translated to: 169.254.169.254
        ("64:ff9b::5db8:d70e", False),
        ("2002:7f00:1::", True),
        ("fec0::1", True),
        ("::127.0.0.1", True),
        ("93.184.215.14", False),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", False),
        ("trigger.example", False),
    ],
)
def test_an_address_is_private_unless_it_is_of_the_internet(host: str, private: bool) -> None:
    assert is_private(host) is private
