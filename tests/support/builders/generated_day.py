"""A generated day of a shop, shaped like the real one, with the figures that it must end in."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from support.builders.sales_plan import (
    ABROAD,
    HOME,
    SERVICE_CODES,
    UNKNOWN_STORE,
    Article,
    Customer,
    Invoice,
    catalogue,
    customers,
    plan_invoices,
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GeneratedDay:
    """Input files of a day; `expected` has the figures before and after the late contacts."""

    orders: list[Json]
    contacts: list[Json]
    late_contacts: list[Json]
    articles: list[Json]
    stores: list[Json]
    expected: Json


def generate_day(seed: int, invoices: int = 143) -> GeneratedDay:
    """Return the same day for the same seed; days of different seeds share no order or contact.

    Raises ValueError for fewer than five invoices: there is one of each kind at least.
    """
    if invoices < 5:
        raise ValueError("a day has five invoices at least")
    rng = Random(seed)
    articles = catalogue(rng)
    known, late = customers(rng, seed, invoices)
    made = plan_invoices(rng, seed, articles, known, late, invoices)
    return GeneratedDay(
        orders=[order_row(invoice) for invoice in made],
        contacts=[contact_row(customer) for customer in known],
        late_contacts=[contact_row(customer) for customer in late],
        articles=[{"sku": article.sku, "articleNumber": article.sku} for article in articles],
        stores=[{"externalStoreId": name, "name": name} for name in (*ABROAD, HOME)],
        expected=expected_figures(made),
    )


def write_files(day: GeneratedDay, folder: Path) -> None:
    """Write the files that `orders reference load` and `orders submit` read."""
    write_lines(folder / "orders.ndjson", day.orders)
    write_lines(folder / "contacts.ndjson", day.contacts)
    write_lines(folder / "contacts-late.ndjson", day.late_contacts)
    write_lines(folder / "articles.ndjson", day.articles)
    write_lines(folder / "stores.ndjson", day.stores)
    (folder / "expected.json").write_text(json.dumps(day.expected, indent=2) + "\n", "utf-8")


def write_lines(file: Path, rows: Iterable[Json]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def order_row(invoice: Invoice) -> Json:
    kind = "Return" if invoice.cancelled else "Purchase"
    action = "ConfirmCancellation" if invoice.cancelled else "ConfirmOrder"
    return {
        "orderId": invoice.number,
        "contact": {"matchKey": invoice.customer.key, "matchKeyType": "ExternalId"},
        "externalStoreId": invoice.store,
        "status": "Cancelled" if invoice.cancelled else "Completed",
        "currencyCode": "GBP",
        "totalPrice": pounds(invoice.pence),
        "createdAt": invoice.at.isoformat(),
        "lineItems": {
            "items": [line_row(kind, article, count) for article, count in invoice.lines]
        },
        "orderAction": {"action": action, "language": "en-GB"},
    }


def line_row(kind: str, article: Article, quantity: int) -> Json:
    described = {"description": article.description} if article.description else {}
    return {
        "type": kind,
        "sku": article.sku,
        "quantity": quantity,
        "unitPrice": pounds(article.pence),
        "totalPrice": pounds(article.pence * quantity),
    } | described


def pounds(pence: int) -> float:
    """Return a number that JSON shows with the exact pence; don't compute with it."""
    return pence / 100


def contact_row(customer: Customer) -> Json:
    return {
        "contactId": f"c-{customer.key}",
        "externalId": customer.key,
        "email": f"customer{customer.key}@example.com",
        "contactType": "Member",
    }


def expected_figures(invoices: Sequence[Invoice]) -> Json:
    """Count the expected figures from the plan, not from the orders that were made of it."""
    known = Counter(invoice.customer.known for invoice in invoices)
    missing = known["late"] + known["never"]
    return {
        "orders": len(invoices),
        "lines": sum(len(invoice.lines) for invoice in invoices),
        "jobsCompleted": known["early"],
        "jobsCompletedWithErrors": missing,
        "healedByLateContacts": known["late"],
        "integrationLog": {
            "ContactMissing (one an order)": missing,
            "ArticleMissing (one an order and sku)": sum(map(missing_articles, invoices)),
            "StoreMissing (one an order)": sum(i.store == UNKNOWN_STORE for i in invoices),
        },
        "actionsDelivered": action_counts(i for i in invoices if i.customer.known == "early"),
        "actionsDeliveredAfterLateContacts": action_counts(
            i for i in invoices if i.customer.known != "never"
        ),
        "sumOfTotalPriceGBP": str(Decimal(sum(i.pence for i in invoices)).scaleb(-2)),
    }


def missing_articles(invoice: Invoice) -> int:
    return len({article.sku for article, _ in invoice.lines} & set(SERVICE_CODES))


def action_counts(invoices: Iterable[Invoice]) -> dict[str, int]:
    cancelled = Counter(invoice.cancelled for invoice in invoices)
    return {"ConfirmOrder": cancelled[False], "ConfirmCancellation": cancelled[True]}
