"""Which addresses a webhook may not be sent to."""

from __future__ import annotations

import pytest

from action_trigger.adapters.ssrf_guard import is_private


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
