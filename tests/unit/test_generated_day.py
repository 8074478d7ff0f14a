"""A generated day is the same for a seed, shaped like the real one, and adds up."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from order_contracts.decoding import parse, read
from order_contracts.order import Order
from support.builders.generated_day import GeneratedDay, generate_day, write_files

SEEDS = (1, 2, 3)


def recount(made: GeneratedDay) -> dict[str, Any]:
    """Compute the figures from the orders and the reference data."""
    early = {contact["externalId"] for contact in made.contacts}
    late = {contact["externalId"] for contact in made.late_contacts}
    skus = {article["sku"] for article in made.articles}
    stores = {store["externalStoreId"] for store in made.stores}
    linked = [o for o in made.orders if o["contact"]["matchKey"] in early]
    healed = [o for o in made.orders if o["contact"]["matchKey"] in late]
    absent = {(o["orderId"], i["sku"]) for o in made.orders for i in items(o)}
    return {
        "orders": len({o["orderId"] for o in made.orders}),
        "lines": sum(len(items(o)) for o in made.orders),
        "jobsCompleted": len(linked),
        "jobsCompletedWithErrors": len(made.orders) - len(linked),
        "healedByLateContacts": len(healed),
        "integrationLog": {
            "ContactMissing (one an order)": len(made.orders) - len(linked),
            "ArticleMissing (one an order and sku)": sum(sku not in skus for _, sku in absent),
            "StoreMissing (one an order)": sum(
                o["externalStoreId"] not in stores for o in made.orders
            ),
        },
        "actionsDelivered": Counter(o["orderAction"]["action"] for o in linked),
        "actionsDeliveredAfterLateContacts": Counter(
            o["orderAction"]["action"] for o in [*linked, *healed]
        ),
        "sumOfTotalPriceGBP": str(sum(exact(o["totalPrice"]) for o in made.orders)),
    }


def items(order: dict[str, Any]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = order["lineItems"]["items"]
    return lines


def exact(number: float) -> Decimal:
    return Decimal(str(number)).quantize(Decimal("0.01"))


def total(order: dict[str, Any]) -> Decimal:
    signs = {"Purchase": 1, "Return": -1}
    return sum((signs[i["type"]] * exact(i["totalPrice"]) for i in items(order)), Decimal(0))


def test_the_same_seed_makes_the_same_day() -> None:
    """
    A failure that names its seed can be repeated.
    """
    assert generate_day(7) == generate_day(7)


def test_days_of_two_seeds_share_no_order_and_no_contact() -> None:
    """
    Two tests may load their days into one stack.
    """
    one, other = generate_day(1), generate_day(2)

    assert not {o["orderId"] for o in one.orders} & {o["orderId"] for o in other.orders}
    assert not {c["contactId"] for c in [*one.contacts, *one.late_contacts]} & {
        c["contactId"] for c in [*other.contacts, *other.late_contacts]
    }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("invoices", [5, 143, 1000])
def test_the_expected_figures_are_those_of_a_recount(seed: int, invoices: int) -> None:
    """
    The generator counts its plan; the recount reads the orders.
    """
    made = generate_day(seed, invoices)

    assert recount(made) == made.expected


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_has_the_shape_of_the_real_one(seed: int) -> None:
    """
    Few long invoices carry a third of all lines; six are cancelled; something is always missing.
    """
    made = generate_day(seed)
    sizes = sorted(len(items(o)) for o in made.orders)

    assert 143 == made.expected["orders"]
    assert (1, 592) == (sizes[0], sizes[-1])
    assert sizes[len(sizes) // 2] < 15
    assert 6 == Counter(o["status"] for o in made.orders)["Cancelled"]
    assert all(made.expected["integrationLog"].values())
    assert len(made.expected["integrationLog"]) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_every_total_is_that_of_its_lines(seed: int) -> None:
    """
    No order of the day is reported for its totals, as none of the real day is.
    """
    assert all(total(o) == exact(o["totalPrice"]) for o in generate_day(seed).orders)


def test_the_gateway_would_accept_every_order() -> None:
    """
    No failure of a test with a generated day is caused by an invalid order.
    """
    rows = [json.dumps(o).encode() for o in generate_day(1).orders]

    accepted = [read(Order, parse(row), strict=True) for row in rows]

    assert 143 == len(accepted)


def test_a_day_of_too_few_invoices_is_refused() -> None:
    """
    It could not hold one invoice of each kind.
    """
    with pytest.raises(ValueError, match="five invoices"):
        generate_day(1, invoices=4)


def test_what_is_written_is_what_was_made(tmp_path: Path) -> None:
    """
    The files are those of the real day, by name and by line.
    """
    made = generate_day(3, invoices=5)

    write_files(made, tmp_path)

    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(row) for row in (tmp_path / name).read_text("utf-8").splitlines()]

    assert made == GeneratedDay(
        orders=read("orders.ndjson"),
        contacts=read("contacts.ndjson"),
        late_contacts=read("contacts-late.ndjson"),
        articles=read("articles.ndjson"),
        stores=read("stores.ndjson"),
        expected=json.loads((tmp_path / "expected.json").read_text("utf-8")),
    )
