"""An order's contact is found by any of its keys, or it is said why not."""

import pytest

from enricher.domain.contact_matching import (
    CONTACT_AMBIGUOUS,
    CONTACT_MISSING,
    ContactKeys,
    KnownContact,
    match_contact,
)
from order_contracts.order import ContactKey, MatchKeyType
from order_contracts.reference import Contact

KEYS = ContactKeys(b"secret")
BRITISH = ContactKeys(b"secret", "GB")


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

    assert KEYS.lookup_key(asking(kind, "k")) in KEYS.all_of(contact)


def test_an_absent_key_is_no_key() -> None:
    assert KEYS.all_of(Contact(contact_id="c-1")) == ("ContactId:c-1",)


@pytest.mark.parametrize("blank", [" ", "\u200b", "\u00a0\ufeff"])
def test_a_key_of_blanks_is_nobodys(blank: str) -> None:
    """Else all contacts that have one would be each other's doubles."""
    contact = Contact(contact_id="c-1", email=blank, member_number=blank)

    assert KEYS.all_of(contact) == ("ContactId:c-1",)


def test_an_email_is_compared_without_regard_to_case_and_blanks() -> None:
    contact = Contact(contact_id="c-1", email=" Ann@Example.com")

    assert KEYS.lookup_key(asking(MatchKeyType.EMAIL, "ann@EXAMPLE.com ")) in KEYS.all_of(contact)


def test_an_external_id_is_compared_as_it_is() -> None:
    contact = Contact(contact_id="c-1", external_id="A1")

    assert KEYS.lookup_key(asking(MatchKeyType.EXTERNAL_ID, "a1")) not in KEYS.all_of(contact)


@pytest.mark.parametrize(
    "spelt",
    ["+44 7400 123456", "+44 (0)7400 123456", "07400 123456", " 07400-123-456 ", "00447400123456"],
)
def test_a_phone_number_is_compared_as_e164(spelt: str) -> None:
    contact = Contact(contact_id="c-1", mobile_phone="+447400123456")

    assert BRITISH.lookup_key(asking(MatchKeyType.MOBILE_PHONE, spelt)) in BRITISH.all_of(contact)


def test_without_a_region_a_national_number_is_nobodys_but_its_own() -> None:
    """07400 123456 is another number in every country: it is not guessed."""
    spelt = asking(MatchKeyType.MOBILE_PHONE, "07400123456")

    assert KEYS.lookup_key(spelt) == "MobilePhone:07400123456"
    assert KEYS.lookup_key(spelt) not in KEYS.all_of(
        Contact(contact_id="c", mobile_phone="+447400123456")
    )


@pytest.mark.parametrize("text", ["unknown", "+", "12", "+1", "🙂"])
def test_what_is_no_phone_number_is_compared_as_it_is(text: str) -> None:
    assert (
        BRITISH.lookup_key(asking(MatchKeyType.MOBILE_PHONE, f" {text} ")) == f"MobilePhone:{text}"
    )


MEMBER = KnownContact("c-1", "Member")
UNTYPED = KnownContact("c-2")
COMPANY = KnownContact("c-3", "Company")


@pytest.mark.parametrize(
    ("known", "contact_type", "found"),
    [
        pytest.param([], "Member", CONTACT_MISSING, id="nobody"),
        pytest.param([MEMBER], "Member", MEMBER, id="one"),
        pytest.param([MEMBER], "member", MEMBER, id="a-type-in-another-case"),
        pytest.param([UNTYPED], "Company", UNTYPED, id="no-type-fits-any"),
        pytest.param([COMPANY], "Member", CONTACT_MISSING, id="another-type"),
        pytest.param([MEMBER, COMPANY], "Company", COMPANY, id="the-one-that-fits"),
        pytest.param([MEMBER, UNTYPED], "Member", CONTACT_AMBIGUOUS, id="two-that-fit"),
    ],
)
def test_the_one_contact_that_fits_is_chosen(
    known: list[KnownContact], contact_type: str, found: KnownContact | str
) -> None:
    """Two that fit are not guessed between."""
    contact = asking(MatchKeyType.EXTERNAL_ID, "12433", contact_type)

    assert match_contact(contact, known) == found
