"""What the laws expect knows the bounds that the contract names."""

from __future__ import annotations

import pytest

from support.builders.bodies import Json, line, order_body
from support.laws.enrichment import missing_entries
from support.model.expected_outcomes import expected_outcome
from support.model.held_model import REGISTER as REGISTERED
from support.model.held_model import AppliedCommand, HeldOrderModel
from support.model.model import REGISTER, STATUS, ModelCommand, OrderModel


def custom(at: int) -> Json:
    return {"orderAction": {"action": "Custom", "data": {"at": at}}}


@pytest.mark.parametrize(("later", "stages"), [(99, {"held", "dropped"}), (100, {"dropped"})])
def test_of_the_actions_that_an_order_asked_for_the_newest_hundred_are_held(
    later: int, stages: set[str]
) -> None:
    model = OrderModel()
    model.apply(ModelCommand(REGISTER, "o-1", "job", {**order_body("o-1"), **custom(-1)}))
    for at in range(later):
        change = {"status": "InProgress", "lastChangedAt": "2025-11-28T10:00:00Z", **custom(at)}
        model.apply(ModelCommand(STATUS, "o-1", f"job-{at}", change))

    assert expected_outcome(model, (), "job").actions == stages


@pytest.mark.parametrize(("later", "ends"), [(99, {}), (100, {1: "dropped"})])
def test_the_model_of_held_actions_drops_the_oldest_of_more_than_a_hundred(
    later: int, ends: dict[int, str]
) -> None:
    order = HeldOrderModel()
    for at in range(later + 1):
        order.store(AppliedCommand("change" if at else REGISTERED, f"Custom-{at}"))
        order.handle()

    assert order.ends == ends


@pytest.mark.parametrize(("missing", "named", "last"), [(50, 50, []), (51, 49, [None])])
def test_of_more_than_fifty_missing_articles_the_last_entry_names_none(
    missing: int, named: int, last: list[str | None]
) -> None:
    lines = [line(sku=f"sku-{at}") for at in (*range(missing), 3, 1)]
    body = order_body(lines=[line(sku="known"), *lines], externalStoreId="shop")

    found = list(missing_entries(body, {"known"}, set()))

    references = [*(f"sku-{at}" for at in range(named)), *last]
    assert found == [*(("ArticleMissing", it) for it in references), ("StoreMissing", "shop")]
