"""The commands of operators on a Kafka and a MongoDB that belong to no stack they know of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from order_contracts.events import OrderAction
from order_contracts.topics import PUBLIC, TOPICS
from order_stack.cli.main import app
from support.builders.actions import action_record, order_action
from support.builders.bodies import contact_body, matching, order_body, store_body, unique
from support.builders.raw_records import RawRecord, register_record
from support.stack.documents import insert_jobs
from support.stack.kafka_records import publish_outgoing, publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.webhook_receiver import set_behaviour

Run = Callable[..., Result]


@pytest.fixture
def orders(stack: RunningStack, tmp_path: Path) -> Run:
    """Runs `orders ARGS` on the addresses of the stack, where no stack is remembered."""
    home = tmp_path / "empty"
    addresses = ("--kafka", stack.kafka.servers, "--mongo", stack.mongo)

    def run(*args: str, code: int = 0) -> Result:
        environ = {"ORDERS_HOME": str(home)}
        done = CliRunner().invoke(app, [*args, *addresses], env=environ)
        assert done.exit_code == code, done.output
        assert not home.exists()
        return done

    return run


def test_dead_letters_are_listed_replayed_and_dropped(stack: RunningStack, orders: Run) -> None:
    bad = RawRecord(unique("letter"), b"{", {"ce_type": "RegisterOrder.v1"})
    publish_records(stack.kafka, [bad])
    of_key = ("--key", bad.key or "", "--json")
    [letter] = until(lambda: json.loads(orders("dlq", "list", *of_key).stdout))

    assert orders("dlq", "show", letter["place"], "--value").stdout_bytes == bad.value
    assert json.loads(orders("dlq", "replay", *of_key).stdout)["replayed"] == 1
    [again] = until(lambda: json.loads(orders("dlq", "list", *of_key).stdout))
    assert again["place"] != letter["place"]
    assert json.loads(orders("dlq", "drop", *of_key).stdout) == {"dropped": 1}


def test_deliveries_are_listed_shown_and_replayed(stack: RunningStack, orders: Run) -> None:
    action: OrderAction = order_action()
    set_behaviour(stack.receiver, status=400, times=1)
    insert_jobs(stack.mongo, stack.database, [action])
    publish_outgoing(stack.kafka, [action_record(action)])
    failed = ("--order", action.order_id, "--state", "failed", "--json")
    [row] = until(lambda: json.loads(orders("deliveries", "list", *failed).stdout))

    shown = json.loads(orders("deliveries", "show", row["actionId"], "--json").stdout)
    done = orders("deliveries", "replay", row["actionId"], "--json")
    endpoints = json.loads(orders("deliveries", "endpoints", "--json").stdout)

    assert [it["status"] for it in shown["attempts"]] == [400]
    assert json.loads(done.stdout) == {"replayed": 1, "notReplayed": {}}
    assert [it["endpoint"] for it in endpoints] == ["default"]


def test_a_contact_is_loaded_exported_and_erased(
    stack: RunningStack, orders: Run, tmp_path: Path
) -> None:
    contact, file = contact_body(email=f"{unique('ann')}@example.com"), tmp_path / "all.ndjson"
    file.write_text(f"{json.dumps(contact)}\n{json.dumps(store_body())}\n")
    order_id, contact_id = unique("order"), contact["contactId"]

    loaded = json.loads(orders("reference", "load", "--wait", str(file), "--json").stdout)
    publish_records(stack.kafka, [register_record(order_body(order_id, contact=matching(contact)))])
    known = until(lambda: exported(orders, contact_id, order_id))
    report = json.loads(orders("privacy", "erase", contact_id, "--json").stdout)

    assert loaded == {"published": 2, "topics": {"reference.contacts": 1, "reference.stores": 1}}
    assert f"Email:{contact['email']}" in known["contact"]["keys"]
    assert report["left"] == []
    assert "There is no contact" in gone(orders, contact_id).stderr


def exported(orders: Run, contact_id: str, order_id: str) -> dict[str, dict[str, str]] | None:
    """Return what is known of the contact, once its order is."""
    known = json.loads(orders("privacy", "export", contact_id).stdout)
    return known if [it["_id"] for it in known["orders"]] == [order_id] else None


def gone(orders: Run, contact_id: str) -> Result:
    json.loads(orders("reference", "count", "--json").stdout)
    return orders("reference", "show", "contact", contact_id, code=1)


def test_offsets_are_shown_where_kafka_and_mongodb_do_not_agree(orders: Run) -> None:
    """None on a healthy system; `--all` shows every partition of every group."""
    everything = json.loads(orders("offsets", "plan", "--all", "--json").stdout)
    assert {(it["group"], it["topic"]) for it in everything} == {
        (group, topic.name) for topic in TOPICS for group in topic.readers - {PUBLIC}
    }
    assert json.loads(orders("offsets", "plan", "--json").stdout) == []
    assert "nothing to set" in orders("offsets", "apply").stdout


def test_without_addresses_the_sentence_says_how_to_give_them(tmp_path: Path) -> None:
    environ = {"ORDERS_HOME": str(tmp_path), "ORDERS_KAFKA": "", "ORDERS_MONGO": ""}
    done = CliRunner().invoke(app, ["dlq", "list"], env=environ)
    assert done.exit_code == 1
    assert "--kafka and --mongo" in done.stderr
