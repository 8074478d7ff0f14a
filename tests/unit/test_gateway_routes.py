"""Every call of the contract has a handler, and the more literal of two paths is matched first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gateway.domain.urls import Urls
from gateway.http.memory_budget import Memory
from gateway.routes import Dependencies, calls, handlers
from order_contracts.routes import BASE_PATH, ROUTES
from order_contracts.specs.calls import CALLS


def parts() -> Dependencies:
    """Return parts with nothing behind them: only the routes are looked at."""
    nothing: Any = SimpleNamespace(jobs=None, enrichments=None)
    urls = Urls("https://orders.example.com")
    return Dependencies(
        nothing, nothing, nothing, urls, nothing, nothing, Memory(), leaving=lambda: False
    )


def test_every_call_of_the_contract_has_a_route_and_a_handler() -> None:
    """And the other way round: no route and no handler without its call."""
    assert {call.name for call in CALLS} == set(ROUTES) == set(handlers(parts()))


def test_every_handler_is_served_under_the_method_and_path_of_its_call() -> None:
    served = calls(parts())
    for operation, handler in handlers(parts()).items():
        route = ROUTES[operation]
        found: Any = served[route.path][route.method]
        assert found.__qualname__ == getattr(handler, "__qualname__", None)


def test_a_literal_path_is_matched_before_one_with_a_parameter() -> None:
    """Else POST /orders/bulk would be a method that an order has not."""
    paths = [path.removeprefix(BASE_PATH) for path in calls(parts())]
    order = paths.index("/orders/{order_id}")
    for literal in ("/orders/bulk", "/orders/check", "/orders/jobs"):
        assert paths.index(literal) < order
    assert paths.index("/orders/jobs/{job_id}") < paths.index("/orders/{order_id}/history")
