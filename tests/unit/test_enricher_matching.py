"""An order's contact is found by any of its keys, or it is said why not."""

import pytest

from enricher.matching import AMBIGUOUS, MISSING, KnownContact, contact_keys, lookup_key, matched
from order_contracts.order import ContactKey, MatchKeyType
from order_contracts.reference import Contact


def asking(kind: MatchKeyType, key: str, contact_type: str = "Member") -> ContactKey:
    return ContactKey(match_key=key, match_key_type=kind, contact_type=contact_type)


@pytest.mark.parametrize("kind", MatchKeyType)
def test_a_contact_is_found_by_every_kind_of_key(kind: MatchKeyType) -> None:
    contact = Contact(
        contact_id="k",
        email="k",
        mobile_phone="k",
        external_id="k",
        member_number="k",
        social_security_number="k",
        card_id="k",
    )

    assert lookup_key(asking(kind, "k")) in contact_keys(contact)


def test_an_absent_key_is_no_key() -> None:
    assert contact_keys(Contact(contact_id="c-1")) == ("ContactId:c-1",)


def test_an_email_is_compared_without_regard_to_case_and_blanks() -> None:
    contact = Contact(contact_id="c-1", email=" Ann@Example.com")

    assert lookup_key(asking(MatchKeyType.EMAIL, "ann@EXAMPLE.com ")) in contact_keys(contact)


def test_an_external_id_is_compared_as_it_is() -> None:
    contact = Contact(contact_id="c-1", external_id="A1")

    assert lookup_key(asking(MatchKeyType.EXTERNAL_ID, "a1")) not in contact_keys(contact)


MEMBER = KnownContact("c-1", "Member")
UNTYPED = KnownContact("c-2")
COMPANY = KnownContact("c-3", "Company")


@pytest.mark.parametrize(
    ("known", "contact_type", "found"),
    [
        pytest.param([], "Member", MISSING, id="nobody"),
        pytest.param([MEMBER], "Member", MEMBER, id="one"),
        pytest.param([MEMBER], "member", MEMBER, id="a-type-in-another-case"),
        pytest.param([UNTYPED], "Company", UNTYPED, id="no-type-fits-any"),
        pytest.param([COMPANY], "Member", MISSING, id="another-type"),
        pytest.param([MEMBER, COMPANY], "Company", COMPANY, id="the-one-that-fits"),
        pytest.param([MEMBER, UNTYPED], "Member", AMBIGUOUS, id="two-that-fit"),
    ],
)
def test_the_one_contact_that_fits_is_chosen(
    known: list[KnownContact], contact_type: str, found: KnownContact | str
) -> None:
    """Two that fit are not guessed between."""
    contact = asking(MatchKeyType.EXTERNAL_ID, "12433", contact_type)

    assert matched(contact, {"ExternalId:12433": known}) == found
