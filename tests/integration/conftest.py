"""Fixtures for tests on the stack: a client of the API, and a contact that exists."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from support.builders.bodies import Json, contact_body, matching
from support.stack.async_api_client import AsyncApiClient
from support.stack.running_stack import RunningStack


@pytest.fixture
async def calls(stack: RunningStack) -> AsyncIterator[AsyncApiClient]:
    async with AsyncApiClient(stack) as found:
        yield found


@pytest.fixture(scope="session")
def contact(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The `contact` of orders whose contact exists; its contactId is the matchKey."""
    known = contact_body()
    file = tmp_path_factory.mktemp("contacts") / "contacts.ndjson"
    file.write_text(json.dumps(known))
    stack.orders("reference", "load", "--wait", str(file))
    return matching(known)
