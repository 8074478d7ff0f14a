"""One real stack for all tests that ask for it, started once and always torn down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.stack import RunningStack, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the stack is marked so, without having to say it twice."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running(tmp_path_factory.mktemp("orders-home")) as started:
        yield started
