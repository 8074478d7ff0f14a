"""A stack on a Kafka and a MongoDB that it did not start, as with `make test STACK=containers`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.builders.bodies import contact_body, matching, order_body
from support.stack.api_client import ApiClient
from support.stack.backends import STACKS
from support.stack.running_stack import RunningStack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(360)]

ACTION = {"action": "ConfirmOrder"}


def test_an_order_goes_all_the_way_and_outlives_the_stack(tmp_path: Path) -> None:
    """Transactions and topics serve; `orders down` leaves alone what the stack didn't start."""
    secrets = ("--data", str(tmp_path / "data"))  # of which the database keeps a fingerprint
    with STACKS["another"](tmp_path / "lender") as lent:
        with running_stack(tmp_path / "first", *lent.options, *secrets) as first:
            assert {part["name"] for part in first.status()["parts"]} == {"receiver"}
            assert (first.kafka.servers, first.mongo) == (lent.options[1], lent.options[3])
            order_id = delivered_order(first, tmp_path)
        with running_stack(tmp_path / "second", *lent.options, *secrets) as second:
            assert ApiClient(second).order(order_id).status_code == 200


def delivered_order(stack: RunningStack, folder: Path) -> str:
    """Register an order of a contact that exists; return its id once its webhook was taken."""
    contact, file = contact_body(), folder / "contacts.ndjson"
    file.write_text(json.dumps(contact))
    stack.orders("reference", "load", "--wait", str(file))
    api = ApiClient(stack)
    body = order_body(contact=matching(contact), orderAction=ACTION)
    job = api.settled(api.registered(body))
    assert (job["status"], job["stages"]["action"]) == ("Completed", "delivered")
    return str(body["orderId"])
