"""What redaction must hold for any text and any key: bounded work, and stand-ins that lead back."""

import re
from unittest.mock import patch

import pytest

from train.redaction import KnownPerson, RedactionKey, Redactor, phones, reveal, russian

PEOPLE = ["Вера Козлова", "Иван Толстой", "Мария Достоевская", "Пётр Коваленко", "Robert Miller"]
CASES = ("nomn", "gent", "datv", "accs", "ablt", "loct")


@pytest.mark.parametrize("unit", ["1 ", "1.", "12-", "7 903 ", "a@", "(1)", "----", "wifi?\n1\n"])
def test_a_hostile_message_takes_work_in_proportion_to_its_length(unit: str) -> None:
    """Four times the text asks at most about four times as often whether digits are a phone number."""
    redactor = Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=[], forgotten=None)
    asked = []
    for size in (1_000, 4_000):
        with patch.object(phones, "_is_phone", wraps=phones._is_phone) as is_phone:
            redactor.spans((unit * size)[:size])
        asked.append(is_phone.call_count)
    assert asked[1] <= 5 * asked[0] + 20


def test_endless_runs_of_digits_are_looked_at_no_more_than_once() -> None:
    redactor = Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=[], forgotten=None)
    with patch.object(phones, "_is_phone", wraps=phones._is_phone) as is_phone:
        found = redactor.spans("call +49 151 2345678 " + "1 " * 100_000 + " or jo@example.org")
    assert [span.kind for span in found] == ["phone", "email"]
    assert is_phone.call_count < 20


def test_every_case_of_a_russian_name_leads_back_with_any_key() -> None:
    hidden = [KnownPerson(number, (name,)) for number, name in enumerate(PEOPLE)]
    for secret in range(6):
        key = RedactionKey(None, secret.to_bytes(32, "big"))
        redactor = Redactor(key, hidden=hidden, shown=[], forgotten=None)
        for text in texts():
            redacted = redactor.redact(text)
            assert redacted != text
            assert not re.search(r"\d", redacted)
            assert reveal(key, redacted) == text


def texts() -> list[str]:
    """Return the people's names, Russian ones in each case."""
    found = ["вижу Robert Miller", "at Robert's"]
    for name in PEOPLE[:-1]:
        first, last = name.split()
        gender = russian.gender_of(first, "Name")
        own = {"masc" if gender == "m" else "femn"}
        for case in CASES:
            marks = frozenset({case, "sing"})
            given = russian.inflected(first, "Name", gender, marks).capitalize()
            surname = russian.inflected(russian.lemma_of(last, "Surn"), "Surn", gender, marks | own).capitalize()
            found.append(f"вот {given} {surname} и {surname}")
    return found
