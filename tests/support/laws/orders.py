"""The law of stored orders: they are those of the model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from support.builders.bodies import Json
from support.laws.canonical_form import canonical
from support.laws.evidence import Evidence, Finding
from support.model.model import ModelOrder, OrderModel, tag_of


def the_stored_orders_are_the_models(evidence: Evidence) -> Iterator[Finding]:
    """Every stored order is the model's; a deleted one has kept its version only."""
    model = evidence.replay.model
    known = evidence.orders.keys() | model.history.keys()
    for order_id in known - evidence.replay.unordered:
        found, right = stored_order(evidence.orders.get(order_id)), model_order(model, order_id)
        if found != right:
            names = found.keys() | right.keys()
            wrong = sorted(name for name in names if found.get(name) != right.get(name))
            message = ", ".join(
                f"{name} {found.get(name)}, not {right.get(name)}" for name in wrong
            )
            yield Finding(message, order_id)


def stored_order(document: Json | None) -> Json:
    """Return an order's document in canonical form; empty without a document."""
    if document is None:
        return {}
    if "deletedAt" in document:
        return {"version": document["version"], "deleted": True}
    return {
        "version": document["version"],
        "connected": document["contactVersion"],
        "owner": document["registeredBy"],
        "tag": tag_of(document["jobId"]),
        "content": canonical(document["order"] | _exact_time(document)),
    }


def _exact_time(document: Json) -> Json:
    """Return lastChangedAt as the text that is stored beside the date, which lacks its digits."""
    exact = document.get("exactTimes", {}).get("order")
    return {"lastChangedAt": exact} if exact else {}


def model_order(model: OrderModel, order_id: str) -> Json:
    """Return the model's order in canonical form."""
    version, order = model.version(order_id), model.order(order_id)
    if order is None:
        return {"version": version, "deleted": True} if version else {}
    return {
        "version": version,
        "connected": order.contact_version,
        "owner": order.registered_by,
        "tag": order.version_tag,
        "content": canonical_content(order),
    }


def canonical_content(order: ModelOrder) -> Json:
    found: Json = canonical(order.content)
    return found


def all_model_orders(model: OrderModel) -> Mapping[str, Json]:
    """Return all orders of the model in canonical form."""
    return {order_id: model_order(model, order_id) for order_id in model.history}
