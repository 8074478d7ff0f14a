"""Links: absolute, from the configured base, safe for any id."""

from __future__ import annotations

import pytest

from gateway.domain.urls import Urls


@pytest.mark.parametrize(
    ("order_id", "path"),
    [("1001", "1001"), ("a b", "a%20b"), ("a?b#c%", "a%3Fb%23c%25"), ("é", "%C3%A9")],
)
def test_a_link_holds_any_order_id(order_id: str, path: str) -> None:
    links = Urls("https://shop.example.com/api-root")
    assert links.order(order_id) == f"https://shop.example.com/api-root/api/v3/orders/{path}"


@pytest.mark.parametrize(("job_id", "path"), [("a/b", "a%2Fb"), ("../x", "..%2Fx")])
def test_a_link_to_a_job_hides_no_other_path(job_id: str, path: str) -> None:
    assert Urls("https://a.example").job(job_id) == f"https://a.example/api/v3/orders/jobs/{path}"
    assert Urls("https://a.example").order(job_id) == f"https://a.example/api/v3/orders/{path}"


def test_a_link_to_a_job_is_absolute() -> None:
    assert Urls("https://a.example").job("j~1") == "https://a.example/api/v3/orders/jobs/j~1"


def test_the_lists_have_their_links() -> None:
    urls = Urls("https://a.example")
    assert urls.orders == "https://a.example/api/v3/orders"
    assert urls.jobs == "https://a.example/api/v3/orders/jobs"
    assert urls.integration_log == "https://a.example/api/v3/integration-log"
