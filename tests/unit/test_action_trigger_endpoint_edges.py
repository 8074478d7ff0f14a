"""An endpoint at the edges of what is accepted: what is refused says why, and shows no secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from action_trigger.domain.endpoint import Endpoint

KEY = base64.b64encode(bytes(range(32))).decode()
URL = "https://trigger.example/hook"


def endpoint(**deviations: Any) -> Endpoint:
    return Endpoint.model_validate({"url": URL, "secrets": [f"whsec_{KEY}"], **deviations})


def refusal(**deviations: Any) -> tuple[str, str]:
    """Return the type and the sentence of the first error."""
    with pytest.raises(ValidationError) as refused:
        endpoint(**deviations)
    error = refused.value.errors()[0]
    return error["type"], error["msg"]


@pytest.mark.parametrize(
    "url", ["https://", "https:///hook", "mailto:a@example.com", "ftp://a.example/", "https://a..b"]
)
def test_an_address_that_no_webhook_can_be_sent_to_is_refused(url: str) -> None:
    assert refusal(url=url) == ("url", "must be an http or https URL")


@pytest.mark.parametrize("user", ["kim", ":pw", "kim:pw"])
def test_credentials_belong_into_a_header_and_not_into_the_address(user: str) -> None:
    """An address is logged; a header's value is not."""
    url = URL.replace("//", f"//{user}@")
    assert refusal(url=url) == ("url", "must not hold a password; use a header")


@pytest.mark.parametrize(
    "name",
    [
        *("content-type", "content-length", "host", "transfer-encoding", "connection"),
        *("accept-encoding", "Webhook-Id", "webhook-anything", "HOST"),
    ],
)
def test_a_header_that_every_request_has_of_its_own_is_refused(name: str) -> None:
    assert refusal(headers={name: "x"}) == ("header", "is set by us")


@pytest.mark.parametrize("name", ["x-webhook-id", "hosts", "Authorization"])
def test_a_header_that_only_looks_like_one_of_ours_is_sent(name: str) -> None:
    assert endpoint(headers={name: "x"}).own_headers == {name: "x"}


def test_a_value_with_a_line_break_is_refused() -> None:
    """It would begin another header."""
    assert refusal(headers={"X": "a\nb"}) == ("value", "must not hold control characters")


@pytest.mark.parametrize(
    "secret", [f"whsec_{KEY[:8]}*{KEY[8:]}", f"whsek_{KEY}", f"whsec-{KEY}", KEY, "whsec_", ""]
)
def test_a_secret_that_is_not_base64_after_its_prefix_is_refused(secret: str) -> None:
    sentence = "must be whsec_ and 24 to 64 bytes in base64"
    assert refusal(secrets=[secret]) == ("secret", sentence)


def test_an_endpoint_shows_no_secret_and_no_header() -> None:
    shown = repr(endpoint(headers={"Authorization": "Bearer x"}))
    assert "secrets" not in shown
    assert "Authorization" not in shown
    assert URL in shown


def test_an_endpoint_is_never_changed() -> None:
    """Attempts in flight keep the one that they began with."""
    with pytest.raises(ValidationError, match="frozen"):
        endpoint().timeout_seconds = 1  # type: ignore[misc]


def test_a_limit_that_nobody_set_is_none() -> None:
    assert (endpoint().timeout_seconds, endpoint().rate, endpoint().own_headers) == (15, None, {})
