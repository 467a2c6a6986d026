"""What holds for redaction whatever is in a message."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.redaction import KnownPerson, RedactionKey, Redactor

HIDDEN = [
    KnownPerson(1, ("Вера Козлова", "vera_k92")),
    KnownPerson(2, ("Zoë Smith",), excluded=True),
    KnownPerson(3, ("Robert Miller",)),
]
SHOWN = [KnownPerson(4, ("Саша Иванова",)), KnownPerson(5, ("Will Turner",))]
PIECES = st.sampled_from(
    [
        "+7 903 123-45-67", "(415) 555-2671", "0151 2345678", "4111 1111 1111 1111", "DE89370400440532013000",
        "me@example.org", "https://t.me/joinchat/AAAAAEabcDEF", "https://example.com/a?token=xyz12345", "221B Baker Street",
        "ул. Ленина, д. 5", "пароль: hunter22", "Your code is 482193", "123-45-6789", "192.168.1.17", "Вера", "Верой Козловой",
        "Zoë's", "zoes", "bob", "@vera_k92", "Smith", "Will Turner", "will", "Hauptstraße 12", "55.75583, 37.61730",
        "👩‍👩‍👧", "1️⃣", "e\u0301", "\u202e", "\x00", "\n", "מרים", "\ud83d",
    ]
)  # fmt: skip
MESSAGES = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=8).flatmap(
    lambda pieces: st.sampled_from([" ", "", ", ", "\n"]).map(lambda sign: sign.join(pieces))
)


def redactor() -> Redactor:
    return Redactor(RedactionKey(None, b"0" * 32), hidden=HIDDEN, shown=SHOWN, forgotten=None)


@pytest.fixture(scope="module")
def shared() -> Redactor:
    return redactor()


@given(text=st.one_of(st.text(), st.text(alphabet="0123456789 +-().@:/#a"), MESSAGES))
def test_lines_stay_and_nothing_is_emptied(shared: Redactor, text: str) -> None:
    redacted = shared.redact(text)
    assert len(redacted.split("\n")) == len(text.split("\n"))
    assert bool(redacted.strip()) == bool(text.strip())


@given(text=MESSAGES)
def test_spans_are_whole_characters_in_order_and_apart(shared: Redactor, text: str) -> None:
    at = 0
    for span in shared.spans(text):
        assert at <= span.start < span.end
        assert text[span.start : span.end] == span.value
        assert not re.match("[\u0300-\u036f\u200d\ufe0f]", text[span.end : span.end + 1])
        at = span.end


@given(pieces=st.lists(PIECES, max_size=6))
def test_what_is_redacted_stays_as_it_is(pieces: list[str]) -> None:
    shared = redactor()
    once = shared.redact(" ; ".join(pieces))
    assert shared.redact(once) == once


@given(pieces=st.lists(PIECES, max_size=6, unique=True))
def test_the_order_of_messages_does_not_matter(pieces: list[str]) -> None:
    one, other = redactor(), redactor()
    assert {p: one.redact(p) for p in pieces} == {p: other.redact(p) for p in reversed(pieces)}


@given(pieces=st.lists(PIECES, max_size=6))
def test_no_form_of_a_hidden_name_is_left(shared: Redactor, pieces: list[str]) -> None:
    redacted = shared.redact(", ".join(pieces)).casefold()
    for name in ("вера", "верой", "козлов", "zoë", "zoe", "smith", "vera_k92"):
        assert not re.search(rf"(?<!\w){name}(?!\w)", redacted)


HARD = {
    "digits": "1" * 10,
    "spaced": "1 ",
    "pairs": "12-",
    "at": "a@",
    "dots": "a.",
    "letters": "abcdefghij",
    "capitals": "Ab ",
    "slashes": "http://a/",
    "brackets": "((((",
    "codes": "code is ",
    "passwords": "password for x ",
    "street": "1 a b c d e ",
    "rue": "rue de la ",
    "russian": "ул. ул. д. 1 ",
    "german": "Am A-",
    "hex": "0a",
    "colons": "a:",
    "names": "вера ",
    "seed": "seed phrase abc ",
    "key": "-----BEGIN PRIVATE KEY-----",
    "iban": "DE12 ",
    "marks": "e\u0301",
    "degrees": "1.1111 ",
}


@pytest.mark.parametrize("piece", HARD.values(), ids=HARD)
@pytest.mark.timeout(120)
def test_a_long_message_comes_to_an_end(piece: str) -> None:
    # An expression that goes back over all it has read would take hours.
    text = piece * (100_000 // len(piece))
    assert redactor().redact(text).count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "unit", ["ё", "Вера", "a@", ".", "http://", "code ", "ВЕРА ", "12 st ", "1 ", "e\u0301", "пароль: "]
)
def test_long_messages_come_to_an_end(unit: str) -> None:
    # Where a square of the length is gone through, as with letters in one piece, this takes hours.
    hiding = Redactor(RedactionKey(None, b"0" * 32), hidden=HIDDEN, shown=SHOWN, forgotten=lambda _: False)
    text = unit * (100_000 // len(unit))
    assert hiding.redact(text).count("\n") == 0
