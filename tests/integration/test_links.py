"""New links meet those that another worker wrote meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enricher.adapters.links import link_document, write_new_links
from enricher.domain.model import ContactLink
from order_runtime.mongo.client import LINKS
from support.builders.writer_fixtures import AT
from support.harness.enricher_harness import EnricherHarness

OURS = ContactLink("o-1", "job-3", 3, "c-3", AT)
ANOTHER = ContactLink("o-2", "job-4", 4, "c-4", AT)
EARLIER = ContactLink("o-1", "job-2", 2, "c-2", AT)
LATER = ContactLink("o-1", "job-5", 5, "c-5", AT)
OF_THE_SAME = replace(OURS, contact_id="c-other")


@pytest.mark.parametrize("known", [True, False], ids=["before", "meanwhile"])
@pytest.mark.parametrize(
    ("stored", "left"),
    [(EARLIER, OURS), (LATER, LATER), (OF_THE_SAME, OF_THE_SAME)],
    ids=["earlier", "later", "same"],
)
async def test_a_new_link_takes_the_place_of_an_earlier_one_alone(
    harness: EnricherHarness, stored: ContactLink, left: ContactLink, *, known: bool
) -> None:
    """Whether it was seen when the batch was loaded, or inserted by another worker since."""
    links = harness.database[LINKS]
    await links.insert_one(link_document(stored))

    await write_new_links(links, [OURS, ANOTHER], {"o-1"} if known else set())

    found = await links.find().sort("_id").to_list()
    assert found == [link_document(left), link_document(ANOTHER)]


async def test_of_two_new_links_of_an_order_the_later_one_stays(harness: EnricherHarness) -> None:
    links = harness.database[LINKS]

    await write_new_links(links, [EARLIER, LATER, OURS], set())

    assert await links.find().to_list() == [link_document(LATER)]
