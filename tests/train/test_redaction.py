"""What redaction takes out of messages, what it leaves, and what it puts in its place."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from stdnum import luhn

from persona.errors import UserError
from train.redaction import RedactionKey, Redactor, open_key


@pytest.fixture
def key() -> RedactionKey:
    return RedactionKey(None, b"0" * 32)


@pytest.fixture
def redactor(key: RedactionKey) -> Redactor:
    return Redactor(key, hidden=[], shown=[], forgotten=None)


def found(redactor: Redactor, text: str) -> list[tuple[str, str]]:
    return [(span.kind, span.value) for span in redactor.spans(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("call +7 903 123-45-67 now", "phone", "+7 903 123-45-67"),
        ("89031234567", "phone", "89031234567"),
        ("(415) 555-2671 or so", "phone", "(415) 555-2671"),
        ("415-555-2671 x123", "phone", "415-555-2671 x123"),
        ("0151 2345678", "phone", "0151 2345678"),
        ("06.12.34.56.78", "phone", "06.12.34.56.78"),
        ("a.b+c@mail.example.co.uk.", "email", "a.b+c@mail.example.co.uk"),
        ("bob (at) example.org", "email", "bob (at) example.org"),
        ("4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
        ("378282246310005", "card", "378282246310005"),
        ("de89 3704 0044 0532 0130 00 is mine", "iban", "de89 3704 0044 0532 0130 00"),
        ("221B Baker Street, London NW1 6XE", "address", "221B Baker Street, London NW1 6XE"),
        ("45 W 34th St Apt 5, New York, NY 10001", "address", "45 W 34th St Apt 5, New York, NY 10001"),
        ("at 10 downing street", "address", "10 downing street"),
        ("ул. Ленина, д. 5, кв. 12", "address", "ул. Ленина, д. 5, кв. 12"),
        ("живу на Ленина 5", "address", "Ленина 5"),
        ("Тверская улица 5", "address", "Тверская улица 5"),
        ("Hauptstraße 12, 10115 Berlin", "address", "Hauptstraße 12, 10115 Berlin"),
        ("hauptstraße 12", "address", "hauptstraße 12"),
        ("12 rue de la Paix, 75002 Paris", "address", "12 rue de la Paix, 75002 Paris"),
        ("Calle Mayor 5", "address", "Calle Mayor 5"),
        ("Via Roma, 12", "address", "Via Roma, 12"),
        ("55.75583, 37.61730", "location", "55.75583, 37.61730"),
        ("ip 192.168.1.17", "ip", "192.168.1.17"),
        ("2a00:1450:4001:82b::200e", "ip", "2a00:1450:4001:82b::200e"),
        ("123-45-6789", "id", "123-45-6789"),
        ("паспорт 4512 345678", "id", "4512 345678"),
        ("СНИЛС 112-233-445 95", "id", "112-233-445 95"),
        ("мой инн 500100732259", "id", "500100732259"),
        ("dni 12345678Z", "id", "12345678Z"),
        ("0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", "wallet", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe"),
        ("номер машины А123ВС777", "plate", "А123ВС777"),
        ("https://t.me/joinchat/AAAAAEabcDEF", "link", "AAAAAEabcDEF"),
        ("t.me/vera_k", "link", "vera_k"),
        ("https://example.com/a?token=xyz123", "link", "xyz123"),
        ("https://bob:pw1@example.com/", "link", "bob:pw1"),
        ("пароль: hunter2", "secret", "hunter2"),
        ("password is hunter2", "secret", "hunter2"),
        ('password is "open sesame"', "secret", "open sesame"),
        ("my pin is 4821", "secret", "4821"),
        ("код 123456", "secret", "123456"),
        ("Your code is G-123456", "secret", "G-123456"),
        ("123456 is your verification code", "secret", "123456"),
        ("das Passwort ist hunter2", "secret", "hunter2"),
        ("mot de passe : hunter2", "secret", "hunter2"),
        ("la contraseña es hunter2", "secret", "hunter2"),
        ("ghp_1234567890abcdefghijklmnopqrstuvwxyz", "secret", "ghp_1234567890abcdefghijklmnopqrstuvwxyz"),
        ("AKIAIOSFODNN7EXAMPLE", "secret", "AKIAIOSFODNN7EXAMPLE"),
        ("d41d8cd98f00b204e9800998ecf8427e", "secret", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_what_is_found(redactor: Redactor, text: str, kind: str, value: str) -> None:
    assert found(redactor, text) == [(kind, value)]
    assert value not in redactor.redact(text)


@pytest.mark.parametrize(
    "text",
    """
call me at 5, or 17:30
it's $1,200.50, no 1 000 000 ₽
2024-01-15 10:30:00 and 15.01.2024
from 1914-1918 to 2020/21
score 3:2, 102-98
version 1.2.3.4, python 3.11.7
ISBN 978-3-16-148410-0
1704067200
order 5551234567 has shipped
12 eggs, 500 g flour, 3x4 cm
https://www.bbc.com/news/world-europe-66123456
https://github.com/python/cpython/issues/12345
error code 404, promo code SAVE20, area code 415
zip code 90210
the password is wrong
пароль неверный, код не работает
I saw 2 guys down the road
5 people in the street
дом в 5 этажей, 3 подъезда
через 15 минут на 7 линии
10.5 km, 99.9%
127.0.0.1
room 101, seat 14C
my two cents @ noon
1️⃣2️⃣3️⃣ go
""".strip().split("\n"),
)
def test_what_is_left_alone(redactor: Redactor, text: str) -> None:
    assert found(redactor, text) == []


def test_blocks_of_private_keys_and_seed_phrases_keep_their_lines(redactor: Redactor) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\nbWFuIGlz\n-----END RSA PRIVATE KEY-----"
    redacted = redactor.redact(key)
    assert "MIIEow" not in redacted
    assert [len(line) for line in redacted.split("\n")] == [len(line) for line in key.split("\n")]
    seed = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    assert not set(seed.split()) & set(redactor.redact(f"my seed phrase: {seed}").split())


def test_one_number_in_two_ways_of_writing_has_one_stand_in(redactor: Redactor) -> None:
    text = "+49 151 2345678, 0151 2345678, 0049-151-2345678, 0151/2345678"
    numbers = [re.sub(r"\D", "", one) for one in redactor.redact(text).split(",")]
    assert {one[-10:] for one in numbers} == {numbers[0][-10:]}
    assert numbers[0] != "491512345678"
    russian = redactor.redact("+7 903 123-45-67 / 8 (903) 123 45 67 / 89031234567").split(" / ")
    assert len({re.sub(r"\D", "", one)[1:] for one in russian}) == 1


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("+7 903 123-45-67", r"\+7 90\d [01]\d\d-\d\d-\d\d"),
        ("+1 (415) 555-2671", r"\+1 \(41\d\) [01]\d\d-\d{4}"),
        ("4111 1111 1111 1111", r"4\d{3} \d{4} \d{4} \d{4}"),
        ("DE89 3704 0044 0532 0130 00", r"DE\d\d( \d{4}){4} \d\d"),
        ("Anna.K91@gmail.com", r"[A-Z][a-z]{3}\.[A-Z]\d\d@gmail\.com"),
        ("anna@acme-corp.de", r"[a-z]{4}@[a-z]{4}-[a-z]{4}\.de"),
        ("221B Baker Street", r"\d{3}[A-Z] [A-Z][a-z]{4} Street"),
        ("ул. Ленина, д. 5, кв. 12", r"ул\. [А-Я][а-я]{5}, д\. \d, кв\. \d\d"),
        ("8.8.4.4", r"2[45]\d\.\d\.\d\.\d"),
        ("123-45-6789", r"9\d\d-\d\d-\d{4}"),
        ("sk-abcdefghijklmnop1234", r"sk-[a-z]{16}\d{4}"),
    ],
)
def test_a_stand_in_has_the_shape_of_what_it_stands_for(redactor: Redactor, value: str, shape: str) -> None:
    redacted = redactor.redact(f"dns {value}")
    assert re.fullmatch(f"dns {shape}", redacted), redacted
    assert value not in redacted


def test_a_stand_in_of_a_card_is_no_card(redactor: Redactor) -> None:
    cards = [f"4{number:014d}" for number in range(50)]
    for card in cards:
        whole = card + luhn.calc_check_digit(card)
        assert not luhn.is_valid(redactor.redact(whole))


def test_two_values_never_share_a_stand_in(redactor: Redactor) -> None:
    numbers = [f"+7 903 {n:03d}-00-17" for n in range(1000)]
    assert len({redactor.redact(one) for one in numbers}) == 1000
    addresses = [f"anna{n:03d}@example.org" for n in range(1000)]
    assert len({redactor.redact(one) for one in addresses}) == 1000


def test_stand_ins_do_not_depend_on_what_is_read_first() -> None:
    texts = [f"+7 903 {n:03d}-22-17" for n in range(50)] + [f"anna.k{n}@gmail.com" for n in range(50)]
    both = []
    for order in (texts, texts[::-1]):
        redactor = Redactor(RedactionKey(None, b"1" * 32), hidden=[], shown=[], forgotten=None)
        both.append({text: redactor.redact(text) for text in order})
    assert both[0] == both[1]
    other = Redactor(RedactionKey(None, b"2" * 32), hidden=[], shown=[], forgotten=None)
    assert other.redact(texts[0]) != both[0][texts[0]]


def test_only_the_kinds_asked_for_are_replaced(key: RedactionKey) -> None:
    redactor = Redactor(key, hidden=[], shown=[], forgotten=None, kinds=frozenset({"email"}))
    redacted = redactor.redact("a@example.org +7 903 123-45-67")
    assert "a@example.org" not in redacted
    assert "+7 903 123-45-67" in redacted
    assert redactor.counts == {"email": 1}


def test_the_key_is_for_its_owner_alone_and_turns_stand_ins_back(tmp_path: Path) -> None:
    key = open_key(tmp_path / "data")
    redactor = Redactor(key, hidden=[], shown=[], forgotten=None)
    redacted = redactor.redact("me@example.org")
    key.save()
    path = tmp_path / "data" / "redaction-key.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    again = open_key(tmp_path / "data")
    assert again.original("email", redacted) == "me@example.org"
    assert Redactor(again, hidden=[], shown=[], forgotten=None).redact("me@example.org") == redacted


def test_another_process_gives_the_same_stand_ins(tmp_path: Path) -> None:
    text = "+7 903 123-45-67, me@acme.example, ул. Ленина, д. 5"
    program = (
        "import sys; from pathlib import Path; from train.redaction import Redactor, open_key\n"
        "key = open_key(Path(sys.argv[1])); print(Redactor(key, hidden=[], shown=[], forgotten=None).redact(sys.argv[2]))"
    )
    open_key(tmp_path)
    command = [sys.executable, "-c", program, str(tmp_path), text]
    runs = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 1, "secret": "zz", "stand_ins": {}}', '{"version": 9}', "\x00"]
)
def test_what_is_no_key_is_said_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "redaction-key.json"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError, match="redaction-key"):
        open_key(tmp_path)
    assert path.read_text("utf-8") == content


def test_a_key_with_half_a_letter_in_it_is_saved(tmp_path: Path) -> None:
    key = open_key(tmp_path)
    Redactor(key, hidden=[], shown=[], forgotten=None).redact("password: hun\ud83dter22")
    key.save()
    assert "hun\ud83dter22" in json.loads((tmp_path / "redaction-key.json").read_text())["stand_ins"]["secret"].values()
