"""How much redaction finds of what is there, and how much of what it finds is there, on the labelled set."""

from collections.abc import Iterable

import pytest

from tests.train.redaction_set import Labelled, Maker, Score, naming, people, score
from tests.train.redaction_templates import (
    DEVELOPED_EN,
    DEVELOPED_NAMES_EN,
    DEVELOPED_NAMES_RU,
    DEVELOPED_NOTHING,
    DEVELOPED_RU,
    MEASURED_EN,
    MEASURED_NAMES_EN,
    MEASURED_NAMES_RU,
    MEASURED_NOTHING,
    MEASURED_RU,
    NO_NAMES,
)
from train.redaction import RedactionKey, Redactor

STRUCTURED = "phone email card iban address link ip ssn wallet code password key location".split()
EACH = 20
"""Messages for each template."""

HALVES = {
    "developed": (1, DEVELOPED_EN, DEVELOPED_RU, DEVELOPED_NOTHING, ["en_US", "en_GB", "en_AU", "en_NZ"]),
    "measured": (31337, MEASURED_EN, MEASURED_RU, MEASURED_NOTHING, ["en_IE", "en_CA", "en_IN"]),
}


def filled(half: str) -> Iterable[Labelled]:
    seed, english, russian, nothing, countries = HALVES[half]
    maker = Maker(seed, countries, ["ru_RU"], [])
    for templates, locales in ((english, countries), (russian, ["ru_RU"]), (nothing, [*countries, "ru_RU"])):
        for template in templates:
            for number in range(EACH):
                yield maker.fill(template, maker.values(locales[number % len(locales)]))


def redactor() -> Redactor:
    return Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=[], forgotten=None)


@pytest.mark.parametrize("half", HALVES)
def test_structured_identifiers_are_found(half: str) -> None:
    found = score(filled(half), redactor().spans)
    assert found.recall(*STRUCTURED) >= 0.99, found.missed
    assert found.precision >= 0.95, found.wrong
    # No kind is carried by the others.
    assert {kind: round(found.recall(kind), 3) for kind in STRUCTURED if found.recall(kind) < 0.98} == {}


@pytest.mark.parametrize("country", ["de_DE", "fr_FR", "es_ES", "it_IT", "pt_PT"])
def test_phone_numbers_of_other_countries_are_found(country: str) -> None:
    maker = Maker(5, [country], [], [])
    templates = [one for one in DEVELOPED_EN if "phone" in one]
    found = score((maker.fill(one, maker.values(country)) for one in templates * EACH), redactor().spans)
    assert found.recall("phone") >= 0.97, found.missed


def named(locale: str, templates: list[str], seed: int) -> Score:
    """Return the score of hiding 60 people of a country, beside 40 whose names stay and words that look like names."""
    hidden = people(seed, locale, 60, 1)
    stems = {word.casefold()[:4] for one in hidden for word in one.names[0].split()}
    others = people(seed + 1, locale, 40, 1000)
    shown = [one for one in others if not stems & {word.casefold()[:4] for word in one.names[0].split()}]
    hiding = Redactor(RedactionKey(None, b"0" * 32), hidden=hidden, shown=shown, forgotten=None)
    maker = Maker(seed, [locale], [], [])
    there = list(naming(maker, templates, hidden, 900))
    not_there = [Labelled(one.text, []) for one in naming(maker, templates, shown, 300)]
    return score([*there, *not_there, *(Labelled(one, []) for one in NO_NAMES)], hiding.spans)


@pytest.mark.parametrize(
    ("locale", "templates", "seed"),
    [
        ("en_US", DEVELOPED_NAMES_EN, 3),
        ("ru_RU", DEVELOPED_NAMES_RU, 4),
        ("en_IE", MEASURED_NAMES_EN, 2026),
        ("ru_RU", MEASURED_NAMES_RU, 2027),
    ],
    ids=["developed-en", "developed-ru", "measured-en", "measured-ru"],
)
def test_names_are_found(locale: str, templates: list[str], seed: int) -> None:
    found = named(locale, templates, seed)
    assert found.recall("name") >= 0.95, found.missed
    assert found.precision >= 0.95, found.wrong


def test_no_message_is_lost() -> None:
    hiding = redactor()
    for message in filled("measured"):
        redacted = hiding.redact(message.text)
        assert redacted.strip()
        assert redacted.count("\n") == message.text.count("\n")
