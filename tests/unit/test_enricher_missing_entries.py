"""What an order lacks, in the log: fifty entries of a job and code, the last says how many more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from enricher.domain.missing_entries import (
    lacks_unnamed_articles,
    log_missing,
    with_articles_left,
    with_named_articles,
)
from enricher.domain.model import ContactLink, Decision
from order_contracts.events import Missing
from order_contracts.integration_log import log_entry
from support.builders.writer_fixtures import AT

CONTACT = Missing(code="ContactMissing", reference="Email")
STORE = Missing(code="StoreMissing", reference="shop")
OTHER = Missing(code="ContactAmbiguous", reference="Email")


def articles(*numbers: int) -> tuple[Missing, ...]:
    return tuple(Missing(code="ArticleMissing", reference=f"sku-{at}") for at in numbers)


def link_lacking(missing: Sequence[Missing]) -> ContactLink:
    return ContactLink("o-1", "job-1", 1, None, AT, tuple(missing))


@pytest.mark.parametrize(
    ("count", "named", "unnamed"), [(0, 0, 0), (49, 49, 0), (50, 50, 0), (51, 49, 2), (99, 49, 50)]
)
def test_of_more_than_fifty_missing_articles_the_first_have_entries(
    count: int, named: int, unnamed: int
) -> None:
    """Contact and store have theirs besides, and what the decision says besides."""
    link = with_named_articles(link_lacking([CONTACT, *articles(*range(count)), STORE]))

    decision = log_missing(Decision(log=(OTHER,)), link)

    assert decision.log == (CONTACT, *articles(*range(named)), STORE, OTHER)
    assert decision.unnamed_articles == unnamed
    assert lacks_unnamed_articles(link) == (unnamed > 0)


@pytest.mark.parametrize(
    ("left", "named"),
    [
        pytest.param(range(60), 49, id="nothing-came"),
        pytest.param(range(1, 60), 48, id="one-that-is-named"),
        pytest.param(range(59), 49, id="one-that-is-not"),
        pytest.param(range(49, 60), 0, id="all-that-are-named"),
        pytest.param(range(49), None, id="all-that-are-not"),
        pytest.param((), None, id="all"),
    ],
)
def test_a_healed_link_still_knows_which_articles_are_named(
    left: Sequence[int], named: int | None
) -> None:
    before = with_named_articles(link_lacking([CONTACT, *articles(*range(60))]))

    healed = with_articles_left(before, replace(before, missing=articles(*left)))

    assert healed.named_articles == named
    assert healed.missing == articles(*left)


def test_where_all_are_named_they_stay_so() -> None:
    before = with_named_articles(link_lacking(articles(1, 2)))

    healed = with_articles_left(before, replace(before, missing=articles(2)))

    assert (before.named_articles, healed.named_articles) == (None, None)


def test_the_last_entry_says_how_many_more_and_names_none() -> None:
    named = log_entry("ArticleMissing", job_id="j", order_id="o", at=AT, reference="mug")
    last = log_entry("ArticleMissing", job_id="j", order_id="o", at=AT, more=951)

    assert named.message == "A line of the order names an article that is not known."
    assert last.message == "A line of the order names an article that is not known, and 951 more."
    assert (last.reference, last.id != named.id) == (None, True)
