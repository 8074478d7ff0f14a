"""Pages of a contact's orders, and of what changed, while others write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.stack.async_api_client import WAIT, ApiResponse, AsyncApiClient, order_path
from support.stack.running_stack import RunningStack

ORDERS, BULK, PAGE = 2_000, 500, 100


@dataclass
class Book:
    """A contact's orders: those that stay, and those that others are busy with."""

    contact: Json
    staying: list[str] = field(default_factory=lambda: [unique("page") for _ in range(ORDERS)])
    moving: list[str] = field(default_factory=lambda: [unique("moving") for _ in range(60)])

    @property
    def contact_id(self) -> str:
        found: str = self.contact["matchKey"]
        return found

    def body(self, order_id: str) -> Json:
        number = int(order_id.rpartition("-")[2])
        status = "Cancelled" if number % 4 == 0 else "InProgress"
        return order_body(order_id, contact=self.contact, status=status)


@pytest.fixture(scope="module")
def book(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A contact with 2,000 orders and more, all of them connected."""
    known = contact_body()
    file: Path = tmp_path_factory.mktemp("contacts") / "contacts.ndjson"
    file.write_text(json.dumps(known))
    stack.orders("reference", "load", str(file))
    found = Book(matching(known))
    asyncio.run(filled(stack, found))
    return found


async def filled(stack: RunningStack, book: Book) -> None:
    ids = [*book.staying, *book.moving]
    async with AsyncApiClient(stack) as calls:
        parts = [ids[at : at + BULK] for at in range(0, len(ids), BULK)]
        answers = await asyncio.gather(
            *[calls("POST", "/orders/bulk", [book.body(it) for it in part]) for part in parts]
        )
        jobs = await calls.settled([row["jobId"] for it in answers for row in it.body["rows"]])
    assert {job["status"] for job in jobs.values()} == {"Completed"}


async def test_pages_hold_while_others_write(calls: AsyncApiClient, book: Book) -> None:
    """
    None twice, none missed that existed throughout; orders are replaced, deleted and registered.
    """
    done = asyncio.Event()
    writing = asyncio.create_task(write(calls, book, done))

    pages = await turned(calls, f"/orders?contactId={book.contact_id}&count={PAGE}", "next")
    done.set()
    written = await writing

    seen = [order["orderId"] for page in pages for order in page]
    assert written > 0
    assert len(seen) == len(set(seen))
    assert set(book.staying) <= set(seen)


async def write(calls: AsyncApiClient, book: Book, done: asyncio.Event) -> int:
    """Replace what stays, delete and register others, until told to stop; return how many."""
    written, jobs = 0, list[str]()
    while not done.is_set():
        kept, moved = book.staying[written % ORDERS], book.moving[written % len(book.moving)]
        new = book.body(unique("new"))
        answers = await asyncio.gather(
            calls("PUT", order_path(kept), book.body(kept), WAIT),
            calls("DELETE", order_path(moved), None, WAIT),
            calls("POST", "/orders", new, WAIT),
        )
        assert answers[0].status == answers[2].status == 200
        jobs += [answer.job_id for answer in answers if answer.status == 200]
        written += 7
    await calls.settled(jobs)
    return len(jobs)


async def test_previous_leads_back_over_the_same_pages(calls: AsyncApiClient, book: Book) -> None:
    """
    Newest first, ten by default; the first page has no previous, the last no next.
    """
    start = f"/orders?contactId={book.contact_id}&count={PAGE}"
    forward = await turned(calls, start, "next")
    last = await last_page(calls, start)

    back = await turned(calls, last, "previous")

    assert back == forward[::-1]
    orders = [order for page in forward for order in page]
    places = [(order["registeredAt"], order["orderId"]) for order in orders]
    assert places == sorted(places, reverse=True)
    assert len((await calls("GET", f"/orders?contactId={book.contact_id}")).body["items"]) == 10


async def test_filters_narrow_the_pages(calls: AsyncApiClient, book: Book) -> None:
    """
    By status and by createdAt; they are kept by the links.
    """
    query = f"/orders?contactId={book.contact_id}&count={PAGE}"
    cancelled = {it for it in book.staying if book.body(it)["status"] == "Cancelled"}

    found = await turned(calls, f"{query}&status=cancelled", "next")
    before = await turned(calls, f"{query}&createdTo=2025-11-28T09:59:59Z", "next")
    since = await calls("GET", f"{query}&createdFrom=2025-11-28T10:00:00Z")

    orders = [order for page in found for order in page]
    assert {order["status"] for order in orders} == {"Cancelled"}
    assert cancelled <= {order["orderId"] for order in orders}
    assert not any(before)
    assert len(since.body["items"]) == PAGE


@pytest.mark.parametrize("of", ["/orders?contactId=x", "/orders/jobs?", "/integration-log?"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "0"),
        ("count", "101"),
        ("count", "-1"),
        ("count", "ten"),
        ("count", ""),
        ("continuation", "!"),
        ("continuation", ""),
        ("continuation", "bnVsbA"),
        ("continuation", "WzEsMl0"),
        ("continuation", "WzFlOTk5OTk5OTk5LCJhIiwwXQ"),  # 1e999999999: no time is so late
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    calls: AsyncApiClient, of: str, name: str, value: str
) -> None:
    """
    With a pointer to the parameter.
    """
    answer = await calls("GET", f"{of}&{urlencode({name: value})}")

    assert (answer.status, answer.code) == (400, "ValidationFailed")
    assert [error["pointer"] for error in answer.body["errors"]] == [f"/{name}"]


async def test_a_list_without_a_contact_is_refused(calls: AsyncApiClient) -> None:
    """
    Nobody reads all orders by leaving something out.
    """
    answer = await calls("GET", "/orders")

    assert (answer.status, answer.body["errors"][0]["pointer"]) == (400, "/contactId")


async def test_what_changed_is_read_from_the_oldest(calls: AsyncApiClient) -> None:
    """
    A reconciliation reads all that changed since, each once, also what changes while it reads.
    """
    ids = [unique("changed") for _ in range(25)]
    first = await calls("POST", "/orders", order_body(ids[0]), WAIT)
    order = await calls.order(ids[0])
    assert first.status == 200
    assert order is not None
    rest = [order_body(it) for it in ids[1:]]
    await asyncio.gather(*[calls("POST", "/orders", body, WAIT) for body in rest])

    pages = await turned(calls, f"/orders?changedSince={order['updatedAt']}", "next")

    found = [item for page in pages for item in page]
    assert set(ids) <= {item["orderId"] for item in found}
    assert all(len(page) == 10 for page in pages[:-1])
    times = [item["updatedAt"] for item in found]
    assert times == sorted(times)


async def test_what_changed_is_for_operators(stack: RunningStack) -> None:
    """
    A key that only reads a contact's orders doesn't read them all.
    """
    made = stack.orders("keys", "new", "shop", "--scope", "orders:read", "--json")
    reader = {"apikey": json.loads(made.stdout)["key"]}

    async with AsyncApiClient(stack) as calls:
        answer = await calls("GET", "/orders?changedSince=2025-01-01T00:00:00Z", None, reader)

    assert (answer.status, answer.code) == (403, "Forbidden")


async def turned(calls: AsyncApiClient, start: str, rel: str) -> list[Sequence[Json]]:
    """Return the items of every page from *start* on, by the links alone."""
    pages: list[Sequence[Json]] = []
    link: str | None = start
    while link is not None:
        answer = await calls("GET", link)
        assert answer.status == 200, answer.body
        pages.append(answer.body["items"])
        link = beside(answer, rel)
    return pages


async def last_page(calls: AsyncApiClient, start: str) -> str:
    answer = await calls("GET", start)
    link = start
    while (following := beside(answer, "next")) is not None:
        link, answer = following, await calls("GET", following)
    return link


def beside(answer: ApiResponse, rel: str) -> str | None:
    found = {link["rel"]: link["href"] for link in answer.body["links"]}
    href: str | None = found.get(rel)
    assert href is None or "continuation" in parse_qs(urlsplit(href).query)
    return href
