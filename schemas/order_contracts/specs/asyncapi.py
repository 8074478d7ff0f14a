"""AsyncAPI 3.0 of the topics, made from the topics as data and the models of the messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import getdoc
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from order_contracts import topics
from order_contracts.base import Message
from order_contracts.cloudevents import (
    CLIENT,
    CONTENT_TYPE,
    GATEWAY_SIGNATURE,
    ROUNDED,
    SPEC_VERSION,
    SUPPRESS,
    UNTRIMMED_KEY,
)
from order_contracts.commands import COMMANDS, DeleteOrder, type_of
from order_contracts.derived_ids import JOB_ID
from order_contracts.events import (
    ActionDelivered,
    ActionFailed,
    EventType,
    OrderAction,
    OrderEnriched,
)
from order_contracts.topics import PUBLIC, Topic
from order_contracts.values import ENTITY_TAGS, Name, OrderId

Json = dict[str, Any]
Models = Mapping[str, tuple[type[Message], JsonSchemaMode]]
Examples = Mapping[str, Sequence[tuple[str, Any]]]
"""Payloads with their names, by `ce_type`."""

VERSION: Final = "3.0.0"
DEAD_LETTER: Final = "DeadLetter"
TOMBSTONE: Final = "Tombstone"
_BINDING: Final = "0.5.0"
_REF: Final = "#/components/schemas/{model}"
_TEXT: Final[Json] = {"type": "string"}
_REPLAY: Final[Json] = {
    **_TEXT,
    "description": "Of a replayed dead letter: the job that failed with it, or the first place.",
}
_ATTEMPT: Final[Json] = {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,5}$",
    "description": "How many dead letters there were of the record; after 5 there is no other.",
}
_MEANT: Final[Json] = {
    "ce_registration": {
        "type": "string",
        "description": "The job that registered the order that is meant; else nothing changes.",
    },
    "ce_contactsince": {
        "type": "string",
        "pattern": "^[1-9][0-9]{0,17}$",
        "description": "The version at which it got its contact; else nothing changes.",
    },
}
_SIGNATURE: Final[Json] = {
    "type": "string",
    "description": "Of our own gateways, which alone can make it: never send it.",
}
_UNTRIMMED: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "Of our own gateways: the key as older ones would have sent it; never send it.",
}

_ROUNDED: Final[Json] = {
    "type": "string",
    "description": "Of our own gateways: how many numbers they rounded, and where. Never send it.",
}

_CLIENT: Final[Json] = {
    "type": "string",
    "description": "Of our own gateways: whose API key they took. Never send it.",
}

CARRIED: Final[Mapping[Topic, tuple[str, ...]]] = {
    topics.COMMANDS: tuple(COMMANDS),
    topics.EVENTS: tuple(map(str, EventType)),
    topics.ENRICHED: (OrderEnriched.TYPE,),
    topics.ACTIONS: (OrderAction.TYPE,),
    topics.DELIVERIES: (ActionDelivered.TYPE, ActionFailed.TYPE),
    topics.COMMANDS_DLQ: (DEAD_LETTER,),
    topics.EVENTS_DLQ: (DEAD_LETTER,),
    topics.ACTIONS_DLQ: (DEAD_LETTER,),
    topics.CONTACTS: ("Contact.v1", TOMBSTONE),
    topics.ARTICLES: ("Article.v1", TOMBSTONE),
    topics.STORES: ("Store.v1", TOMBSTONE),
}
"""The messages on each topic of the contract; that of the operators' own notes is none."""

_ABOUT: Final[Mapping[Topic, str]] = {
    topics.COMMANDS: "What is asked to happen to orders. Keyed by orderId, placed by murmur2.",
    topics.EVENTS: "The outcome of every command, at least once under a stable ce_id.",
    topics.ENRICHED: "The contact that an order was connected to, and what is missing.",
    topics.ACTIONS: "What the automation trigger is to receive.",
    topics.DELIVERIES: "What became of it.",
    topics.COMMANDS_DLQ: "Commands that could not be read, with the reason.",
    topics.EVENTS_DLQ: "Events that could not be read, with the reason.",
    topics.ACTIONS_DLQ: "Actions that could not be read or delivered, with the reason.",
    topics.CONTACTS: "Contacts by contactId.",
    topics.ARTICLES: "Articles by sku.",
    topics.STORES: "Stores by externalStoreId.",
}


def document(models: Models, examples: Examples) -> Json:
    """Return the AsyncAPI document; *models* may hold more than what goes through Kafka."""
    names = dict.fromkeys(name for carried in CARRIED.values() for name in carried)
    kept = {name: models[name] for name in names if name in models}
    references, definitions = models_json_schema(
        list(dict.fromkeys(kept.values())), by_alias=True, ref_template=_REF
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ordermill events",
            "version": VERSION,
            "description": "Commands, their outcomes, and the data that orders are checked "
            "against: CloudEvents 1.0 in Kafka's binary mode, values in plain JSON. Commands and "
            "reference data are read in structured mode as well.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"kafka": {"host": "kafka.example.com:9092", "protocol": "kafka"}},
        "channels": {topic.name: _channel(topic) for topic in CARRIED},
        "operations": {name: operation for topic in CARRIED for name, operation in _uses(topic)},
        "components": {
            "messages": {
                name: _message(name, model, references[model, mode], examples.get(name, ()))
                for name, (model, mode) in kept.items()
            }
            | {DEAD_LETTER: _dead_letter(), TOMBSTONE: _tombstone()},
            "schemas": dict(sorted(definitions["$defs"].items())),
        },
    }


def _channel(topic: Topic) -> Json:
    config: Json = {name: _number(value) for name, value in topic.config.items()}
    config["cleanup.policy"] = [config["cleanup.policy"]]
    binding = {
        "topic": topic.name,
        "partitions": topic.partitions,
        "topicConfiguration": config,
        "bindingVersion": _BINDING,
    }
    return {
        "address": topic.name,
        "description": _ABOUT[topic],
        "messages": {name: _to("components", "messages", name) for name in CARRIED[topic]},
        "bindings": {"kafka": binding},
    }


def _number(value: str) -> int | str:
    return int(value) if value.isdecimal() else value


def _uses(topic: Topic) -> Iterator[tuple[str, Json]]:
    """Yield what our services do with a topic; other systems do the opposite."""
    for action, services in (("receive", topic.readers), ("send", topic.writers)):
        for service in sorted(services - {PUBLIC}):
            operation = {
                "action": action,
                "channel": _to("channels", topic.name),
                "summary": f"The {service} {action}s.",
                "tags": [{"name": service}],
            }
            yield f"{service}.{action}.{topic.name}", operation


def _message(name: str, model: type[Message], payload: Json, examples: Sequence[Any]) -> Json:
    reference = name in {"Contact.v1", "Article.v1", "Store.v1"}
    return {
        "name": name,
        "title": name,
        "summary": " ".join((getdoc(model) or name).split("\n\n")[0].split()),
        "headers": _headers(name, command=name in COMMANDS, reference=reference),
        "payload": payload,
        "bindings": _key(Name if reference else OrderId),
        "examples": [{"name": title, "payload": value} for title, value in examples],
    }


def _headers(name: str, *, command: bool, reference: bool) -> Json:
    """Return the attributes of CloudEvents; what we write has them all, what we read may not."""
    properties: Json = {
        "ce_specversion": {"const": SPEC_VERSION},
        "ce_type": {"const": name},
        "ce_id": {"type": "string", "pattern": f"^{JOB_ID.pattern}$"},
        "ce_source": _TEXT,
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {**_TEXT, "description": "The key, as text."},
        "content-type": {"const": CONTENT_TYPE},
        "traceparent": _TEXT,
    }
    required = ["ce_type"] if command else [] if reference else list(properties)[:5]
    if command:
        properties |= {
            "ce_ifmatch": {"type": "string", "pattern": ENTITY_TAGS},
            "ce_idempotencykey": {"type": "string", "minLength": 1, "maxLength": 255},
            "ce_actions": {"const": SUPPRESS},
            ROUNDED: _ROUNDED,
            CLIENT: _CLIENT,
            UNTRIMMED_KEY: _UNTRIMMED,
            GATEWAY_SIGNATURE: _SIGNATURE,
            **(_MEANT if name == type_of(DeleteOrder) else {}),
            "orders-replay": _REPLAY,
            "orders-attempt": _ATTEMPT,
        }
    return {"type": "object", "properties": properties, "required": required}


def _dead_letter() -> Json:
    """Return the message that carries any other, whatever it is."""
    prefix = "__connect.errors."
    names = ("topic", "partition", "offset", "connector.name", "exception.class.name")
    told = {prefix + name: _TEXT for name in (*names, "exception.message")}
    last = "Of a batch that can't be read: its last offset; the other is its first one."
    optional = {
        f"{prefix}job.id": {**_TEXT, "description": "Of a command: the job that failed."},
        f"{prefix}last.offset": {**_TEXT, "description": last},
        "orders-replay": _REPLAY,
        "orders-attempt": _ATTEMPT,
    }
    return {
        "name": DEAD_LETTER,
        "title": DEAD_LETTER,
        "summary": "The original key, value and headers, with the reason and the origin.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": told | optional, "required": sorted(told)},
        "payload": {"description": "As it came; it may be anything."},
    }


def _tombstone() -> Json:
    return {
        "name": TOMBSTONE,
        "title": TOMBSTONE,
        "summary": "No value: deletes what has this key.",
        "payload": {"type": "null"},
        "bindings": _key(Name),
    }


def _key(kind: Any) -> Json:
    schema = TypeAdapter(kind).json_schema()
    return {"kafka": {"key": schema, "bindingVersion": _BINDING}}


def _to(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}
