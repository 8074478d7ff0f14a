"""The sales of a generated day: invoices, customers and articles, derived from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

OPENING = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
HOURS_OPEN = timedelta(hours=9)
HOME, ABROAD = "United Kingdom", ("Australia", "France", "Germany", "Netherlands", "Norway")
UNKNOWN_STORE = "EIRE"
SERVICE_CODES = ("POST", "DOT", "M", "D", "C2", "BANK CHARGES")
ODD_CODES = ("15056bl", "DCGS0058", "gift_0001_20", "79323 LP")
LARGEST, LARGE, USUAL = 592, 500, 85


@dataclass(frozen=True, slots=True)
class Article:
    sku: str
    pence: int
    description: str | None


@dataclass(frozen=True, slots=True)
class Customer:
    key: str
    known: Literal["early", "late", "never"]


@dataclass(frozen=True, slots=True)
class Sale:
    customer: Customer
    size: int
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Invoice:
    """All data of an order, before it is written as JSON."""

    number: str
    at: datetime
    customer: Customer
    store: str
    cancelled: bool
    lines: tuple[tuple[Article, int], ...]

    @property
    def pence(self) -> int:
        worth = sum(article.pence * quantity for article, quantity in self.lines)
        return -worth if self.cancelled else worth


def catalogue(rng: Random) -> list[Article]:
    colours = ("WHITE", "RED", "PINK RETROSPOT", "IVORY", "BLUE PAISLEY")
    things = ("T-LIGHT HOLDER", "LUNCH BOX", "HOT WATER BOTTLE", "CAKE STAND", "MINI BUNTING")
    skus = [str(number) for number in rng.sample(range(10000, 91000), 1200)]
    lettered = [f"{sku}{letter}" for sku in skus[:50] for letter in "ABC"]
    return [
        Article(sku, rng.randrange(19, 1695), f"{rng.choice(colours)} {rng.choice(things)}")
        for sku in sorted([*skus, *lettered, *ODD_CODES])
    ]


def customers(rng: Random, seed: int, invoices: int) -> tuple[list[Customer], list[Customer]]:
    early, late = scaled(invoices, 93), scaled(invoices, 5)
    keys = [f"{number}-{seed}" for number in rng.sample(range(12346, 99999), early + late)]
    known = [Customer(key, "early") for key in keys[:early]]
    return known, [Customer(key, "late") for key in keys[early:]]


def scaled(invoices: int, of_143: int) -> int:
    """Scale a count of the real day, which has 143 invoices; return at least 1."""
    return max(1, round(invoices * of_143 / 143))


def plan_invoices(
    rng: Random,
    seed: int,
    articles: Sequence[Article],
    known: Sequence[Customer],
    late: Sequence[Customer],
    invoices: int,
) -> list[Invoice]:
    sales = plan_sales(rng, seed, known, late, invoices)
    charged = set(rng.sample(range(invoices), scaled(invoices, 8)))
    stores = store_names(rng, invoices)
    return [
        Invoice(
            number=f"{'C' * sale.cancelled}{536365 + n}-{seed}",
            at=(OPENING + HOURS_OPEN * n / invoices).replace(microsecond=0),
            customer=sale.customer,
            store=stores[n],
            cancelled=sale.cancelled,
            lines=basket(rng, articles, sale.size, charged=n in charged),
        )
        for n, sale in enumerate(sales)
    ]


def plan_sales(
    rng: Random, seed: int, known: Sequence[Customer], late: Sequence[Customer], invoices: int
) -> list[Sale]:
    """Return the day's sales in order of time; every late contact buys at least once."""
    guests = [Customer(f"guest-{n}-{seed}", "never") for n in range(scaled(invoices, 16))]
    latecomers = [late[n % len(late)] for n in range(scaled(invoices, 7))]
    cancelled = [
        Sale(rng.choice(known), rng.randint(1, 2), True) for _ in range(scaled(invoices, 6))
    ]
    large = [Sale(rng.choice(known), size) for size in large_sizes(rng, scaled(invoices, 2))]
    rest = invoices - len(guests) - len(latecomers) - len(cancelled) - len(large)
    regulars = rng.choices(known, k=rest)
    usual = [Sale(buyer, usual_size(rng)) for buyer in (*guests, *latecomers, *regulars)]
    sales = [*cancelled, *large, *usual]
    rng.shuffle(sales)
    return sales


def large_sizes(rng: Random, count: int) -> list[int]:
    return [LARGEST, *(rng.randint(LARGE, LARGEST) for _ in range(count - 1))]


def usual_size(rng: Random) -> int:
    """Return a number of lines: half of them are eight or fewer, a few are dozens."""
    return min(USUAL, 1 + int(rng.lognormvariate(1.8, 1.3)))


def store_names(rng: Random, invoices: int) -> list[str]:
    unknown = [UNKNOWN_STORE] * scaled(invoices, 2)
    abroad = rng.choices(ABROAD, k=scaled(invoices, 6))
    stores = [*unknown, *abroad, *[HOME] * (invoices - len(unknown) - len(abroad))]
    rng.shuffle(stores)
    return stores


def basket(
    rng: Random, articles: Sequence[Article], size: int, *, charged: bool
) -> tuple[tuple[Article, int], ...]:
    """Return an invoice's lines; a charge has up to two lines, and is one missing article."""
    charge = Article(rng.choice(SERVICE_CODES), rng.randrange(100, 5000), None)
    charges = [(charge, 1)] * (min(size, 2) if charged else 0)
    goods = rng.choices(articles, k=size - len(charges))
    return (*charges, *((article, rng.choice((1, 2, 3, 4, 6, 12, 24))) for article in goods))
