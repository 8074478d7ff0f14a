"""The contacts that change during a load."""

from __future__ import annotations

from support.builders.bodies import matching
from support.load.contact_changes import contact_changes


def test_every_change_comes_once_and_a_merge_in_its_order() -> None:
    changes = contact_changes(6, merges=4)

    came = list(changes.in_random_order(1))

    assert len(came) == changes.count == 6 + 6 + 2 * 2 + 2 * 3
    for merge in changes.merges:
        names = {merge.loser["contactId"], merge.survivor["contactId"]}
        assert [it for it in came if it[0] in names] == merge.changes
        assert merge.changes[0][1] == merge.loser | {"mergedInto": merge.survivor["contactId"]}
    assert list(changes.in_random_order(1)) == came != list(changes.in_random_order(2))


def test_orders_name_a_key_that_an_erased_contact_shares_with_one_that_stays() -> None:
    changes = contact_changes(6)
    erased = {it["email"] for it in changes.erased}

    assert [it["email"] for it in changes.namesakes if it["email"] in erased] == [
        changes.erased[number]["email"] for number in (0, 3, 0)
    ]
    assert all(matching(it, "Email") in changes.order_contacts for it in changes.namesakes)
    assert not any(contact in changes.namesakes for contact in changes.erased)
