"""The AsyncAPI document: valid by the official schema, and true of topics, messages, examples."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from order_contracts.specs.asyncapi import CARRIED
from order_contracts.specs.export import messages
from order_contracts.topics import PUBLIC, Topic

SCHEMAS = Path(__file__).parents[2] / "schemas"
OFFICIAL = Path(__file__).with_name("asyncapi-3.0.0") / "schema.json"


@cache
def asyncapi() -> Any:
    return yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())


def found(reference: str) -> Any:
    """Return what a reference of the document points to."""
    place = asyncapi()
    for part in reference.removeprefix("#/").split("/"):
        place = place[part]
    return place


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [it for each in part for it in references(each)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [it for each in part.values() for it in references(each)]


def examples() -> list[Any]:
    return [
        pytest.param(name, example["payload"], id=f"{name}-{example['name']}")
        for name, message in asyncapi()["components"]["messages"].items()
        for example in message.get("examples", ())
    ]


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    return Draft7Validator(json.loads(OFFICIAL.read_text()))


def test_the_document_is_valid_by_the_official_schema(official: Draft7Validator) -> None:
    assert [error.message[:200] for error in official.iter_errors(asyncapi())] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"channels": {"a": {"address": 1}}},
        {"operations": {"a": {"action": "publish"}}},
        {"asyncapi": "2.6.0"},
    ],
)
def test_the_official_schema_sees_what_is_wrong(official: Draft7Validator, broken: Any) -> None:
    assert not official.is_valid(asyncapi() | broken)


def test_every_reference_leads_somewhere() -> None:
    told = references(asyncapi())
    assert told
    assert all(found(reference) for reference in told)


@pytest.mark.parametrize("topic", CARRIED, ids=lambda topic: topic.name)
def test_a_channel_tells_its_topic(topic: Topic) -> None:
    """Partitions, retention and limits, as the broker has them."""
    binding = asyncapi()["channels"][topic.name]["bindings"]["kafka"]
    said = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in binding["topicConfiguration"].items()
    }
    assert (said, binding["partitions"]) == (dict(topic.config), topic.partitions)


@pytest.mark.parametrize("topic", CARRIED, ids=lambda topic: topic.name)
def test_the_operations_are_what_our_services_do(topic: Topic) -> None:
    reference = {"$ref": f"#/channels/{topic.name}"}
    uses = [it for it in asyncapi()["operations"].values() if it["channel"] == reference]
    for action, services in (("send", topic.writers), ("receive", topic.readers)):
        told = {tag["name"] for it in uses if it["action"] == action for tag in it["tags"]}
        assert told == services - {PUBLIC}


def test_every_message_is_on_one_channel() -> None:
    """But the job, which is read over HTTP."""
    carried = [name for channel in asyncapi()["channels"].values() for name in channel["messages"]]
    ours = sorted(name for name in carried if name.endswith(".v1"))
    assert ours == sorted(set(messages()) - {"Job.v1"})


@pytest.mark.parametrize(("name", "payload"), examples())
def test_an_example_is_valid_by_its_message(name: str, payload: Any) -> None:
    schema = found(f"#/components/messages/{name}")["payload"]
    whole = {**schema, "components": asyncapi()["components"]}
    assert [error.message for error in Draft7Validator(whole).iter_errors(payload)] == []


def test_every_message_has_an_example_and_a_key() -> None:
    for name in set(messages()) - {"Job.v1"}:
        message = found(f"#/components/messages/{name}")
        assert message["examples"], name
        assert message["bindings"]["kafka"]["key"]["maxLength"] == 255
