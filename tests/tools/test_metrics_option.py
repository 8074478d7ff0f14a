"""`orders up --metrics`: a real Prometheus scrapes every service, and evaluates our rules."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from order_operations.observability.prometheus import JOBS
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("orders-home"), "--metrics") as started:
        yield started


def asked(stack: RunningStack, path: str, **parameters: str) -> dict[str, object]:
    page = stack.status()["metrics"]
    found = httpx.get(f"{page}/api/v1/{path}", params=parameters, timeout=10).json()
    data: dict[str, object] = found["data"]
    return data


def test_every_service_is_scraped(watched: RunningStack) -> None:
    def up() -> set[str]:
        result = asked(watched, "query", query="up == 1")["result"]
        assert isinstance(result, list)
        return {it["metric"]["job"] for it in result}

    assert until(lambda: up() == set(JOBS), of="the scraped jobs")


def test_the_rules_are_evaluated(watched: RunningStack) -> None:
    groups = asked(watched, "rules")["groups"]
    assert isinstance(groups, list)
    names = {it["name"] for it in groups}
    assert names == {f"ordermill-{it}" for it in ("objectives", "causes", "symptoms", "budgets")}
