"""A stack that asks for logins, and what is rendered for production: once for all these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.manifests.pods import KUBERNETES, Manifest
from support.manifests.validators import rendered
from support.stack.running_stack import RunningStack, running_stack


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("home"), "--secure") as stack:
        yield stack


@pytest.fixture(scope="session")
def production() -> list[Manifest]:
    return rendered(KUBERNETES / "overlays" / "production" / "services")
