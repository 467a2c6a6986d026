"""People who are in a store twice, and address books that name them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from persona.errors import UserError
from train.contacts import apply_contacts, read_contacts
from train.duplicates import find_duplicates
from train.messages import Account, Message
from train.people import exclude, merge, people, set_owner
from train.store import Store


@pytest.fixture
def account(store: Store) -> Callable[..., None]:
    """Somebody who wrote so many messages on a platform."""

    def add(platform: str, account: str, name: str | None = None, *keys: str, wrote: int = 1) -> None:
        phones, emails = tuple(k for k in keys if "@" not in k), tuple(k for k in keys if "@" in k)
        store.note_account(Account(platform, account, name, phones, emails))
        started = store.db.execute("SELECT max(id) FROM imports").fetchone()[0] or store.start_import(
            Path("/dev/null"), "x", 0
        )
        rows = [
            Message(platform, "c", f"{account}{n}", n, "x", sender_id=account, sender_name=name) for n in range(wrote)
        ]
        store.add_messages(rows, started)

    return add


def pairs(store: Store) -> list[tuple[str, str, bool]]:
    return [(one.keep.speaker, one.other.speaker, one.certain) for one in find_duplicates(store.db)]


def test_the_same_number_written_in_two_ways_is_certain(store: Store, account: Callable[..., None]) -> None:
    account("telegram", "user1", "Zoë Moss", "+49 170 1234567")
    account("sms", "01701234567", "01701234567", wrote=9)
    account("imessage", "+491709999999", "+491709999999")
    assert pairs(store) == [("Zoë Moss", "01701234567", True)]


def test_the_same_address_is_certain_and_short_codes_are_nobody(store: Store, account: Callable[..., None]) -> None:
    account("slack", "U1", "Mia", "Mia@Example.org")
    account("imessage", "mia@example.org", "mia@example.org")
    account("sms", "22000", "Bank", "22000")
    account("whatsapp", "22000", "Lottery", "22000")
    assert pairs(store) == [("Mia", "mia@example.org", True)]


def test_names_are_a_guess_across_platforms_alone(store: Store, account: Callable[..., None]) -> None:
    account("telegram", "user1", "Moss Zoë")
    account("discord", "7", "Zoë Moss", wrote=5)
    account("signal", "x", "Bob")
    account("slack", "U2", "Bob Lee")
    account("telegram", "user8", "Ann")
    account("telegram", "user9", "Ann Other")
    assert sorted(pairs(store)) == [("Bob", "Bob Lee", False), ("Zoë Moss", "Moss Zoë", False)]


CARDS = """BEGIN:VCARD
VERSION:3.0
FN:Zoë Moss
item1.TEL;type=CELL:+49 170
  1234567
EMAIL;TYPE=INTERNET:Zoe@Example.org
END:VCARD
BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4D=C3=B6=73;=41=6E=6E;;;
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=41=6E=6E=20=4D=
=C3=B6=73
TEL;CELL:+447700900123
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Nobody here
TEL;VALUE=uri:tel:+1-555-010-0000
END:VCARD
"""


def test_an_address_book_names_people_and_makes_their_accounts_one(
    store: Store, account: Callable[..., None], tmp_path: Path
) -> None:
    account("imessage", "+491701234567", "+491701234567")
    account("sms", "01701234567", None)
    account("imessage", "zoe@example.org", "zoe@example.org")
    account("whatsapp", "+447700900123", "annie")
    (tmp_path / "all.vcf").write_text(CARDS, "utf-8")
    applied = apply_contacts(store.db, tmp_path / "all.vcf")
    assert (applied.cards, len(applied.merged), applied.unreadable) == (3, 2, [])
    # What somebody calls themselves is a name; a number is none.
    assert [person.speaker for person in people(store.db)] == ["Zoë Moss", "annie"]


def test_cards_of_every_version_and_broken_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.vcf"
    path.write_text(CARDS.replace("\n", "\r\n") + "BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\nrubbish", "utf-8")
    problems: list[str] = []
    assert [contact.name for contact in read_contacts(path, problems)] == ["Zoë Moss", "Ann Mös", "Nobody here"]
    path.write_text("hello")
    with pytest.raises(UserError, match="no contact"):
        list(read_contacts(path, problems))


def test_the_owners_country_reads_numbers_without_one(store: Store, account: Callable[..., None]) -> None:
    account("telegram", "user1", "Mia", "+44 7700 900123")
    set_owner(store.db, people(store.db)[0])
    account("signal", "a", "Al", "+44 7700 900999")
    account("sms", "07700900999", None)
    assert pairs(store) == [("Al", "Deleted Account", True)]


def test_numbers_that_end_alike_are_two_peoples_and_ids_are_no_numbers(
    store: Store, account: Callable[..., None]
) -> None:
    account("signal", "a", "Al", "+1 212 555 0147 55")
    account("imessage", "+12125550148", "Bo")
    account("whatsapp", "+13125550148", "Cy")
    account("discord", "123456789012345678", "Di")
    account("telegram", "user456789012345678", "Ed")
    assert not [one for one in pairs(store) if one[2]]


def test_who_is_excluded_stays_excluded_when_merged(store: Store, account: Callable[..., None]) -> None:
    account("signal", "a", "Al")
    account("telegram", "user2", "Albert")
    first, second = people(store.db)
    exclude(store.db, second)
    merge(store.db, first, second)
    assert [one.excluded for one in people(store.db)] == [True]
