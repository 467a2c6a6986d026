"""A labelled set of chat messages in English and Russian, made from templates and values: where what lies is known.

There are two halves with templates, countries and seeds of their own: one that redaction was developed with, and one
that it is measured on.
"""

import random
import re
import string
from collections.abc import Callable, Iterable, Iterator

import msgspec
import pymorphy3
from faker import Faker

from train.redaction import KnownPerson, Span


class Labelled(msgspec.Struct):
    """A message, and where in it something lies that must not stay."""

    text: str
    truth: list[Span]


class Score(msgspec.Struct):
    """How much of what is there was found, by kind, and how much of what was found is there."""

    there: dict[str, int] = msgspec.field(default_factory=dict)
    missed: dict[str, list[str]] = msgspec.field(default_factory=dict)
    found: int = 0
    wrong: list[str] = msgspec.field(default_factory=list)

    def recall(self, *kinds: str) -> float:
        """Return the share of spans of some kinds that were found."""
        there = sum(self.there.get(kind, 0) for kind in kinds)
        return 1 - sum(len(self.missed.get(kind, ())) for kind in kinds) / there

    @property
    def precision(self) -> float:
        """Return the share of what was found that was there."""
        return 1 - len(self.wrong) / self.found


def score(messages: Iterable[Labelled], spans: Callable[[str], list[Span]]) -> Score:
    """Compare what is found with what is there: all letters and digits of a span must be found, of whatever kind."""
    result = Score()
    for message in messages:
        found = spans(message.text)
        covered = {index for span in found for index in range(span.start, span.end)}
        there = {index for span in message.truth for index in range(span.start, span.end)}
        for span in message.truth:
            result.there[span.kind] = result.there.get(span.kind, 0) + 1
            if any(i not in covered for i in range(span.start, span.end) if message.text[i].isalnum()):
                result.missed.setdefault(span.kind, []).append(f"{span.value!r} in {message.text!r}")
        for span in found:
            result.found += 1
            inside = sum(i in there for i in range(span.start, span.end))
            if inside * 2 < span.end - span.start:
                result.wrong.append(f"{span.kind} {span.value!r} in {message.text!r}")
    return result


_SLOT = re.compile(r"\{(\w+)\}")


class Maker:
    """Fills templates with values."""

    def __init__(self, seed: int, english: list[str], russian: list[str], elsewhere: list[str]) -> None:
        self.chance = random.Random(seed)
        self.fakers = {locale: Faker(locale) for locale in (*english, *russian, *elsewhere)}
        for number, fake in enumerate(self.fakers.values()):
            fake.seed_instance(seed + number)
        self.english, self.russian, self.elsewhere = english, russian, elsewhere

    def fill(self, template: str, values: dict[str, Callable[[], str]]) -> Labelled:
        """Return a template with values in its slots; a slot `{x}` of a kind that is no secret is named `{_x}`."""
        text, truth, at = "", [], 0
        for slot in _SLOT.finditer(template):
            text += template[at : slot.start()]
            name = slot[1]
            value = values[name]()
            if not name.startswith("_"):
                kind = name.rstrip("0123456789").split("_")[0]
                truth.append(Span(len(text), len(text) + len(value), kind, value))
            text += value
            at = slot.end()
        return Labelled(text + template[at:], truth)

    def values(self, locale: str) -> dict[str, Callable[[], str]]:
        """Return what fills each slot, for a country."""
        fake, chance = self.fakers[locale], self.chance
        return {
            "phone": lambda: _phone(fake),
            "email": lambda: chance.choice([fake.email, fake.free_email, fake.company_email])(),
            "card": lambda: _grouped(fake.credit_card_number(), chance),
            "iban": lambda: _iban(str(fake.iban()), chance),
            "address": lambda: _address(fake, locale, chance),
            "link": lambda: _token(chance),
            "link_meeting": lambda: "9" + "".join(chance.choices(string.digits, k=10)),
            "phone2": lambda: _phone(fake),
            "ip": lambda: chance.choice([fake.ipv4_public, fake.ipv4_public, fake.ipv6])(),
            "ssn": lambda: str(fake.ssn()),
            "wallet": lambda: "0x" + "".join(chance.choices("0123456789abcdef", k=40)),
            "code": lambda: "".join(chance.choices(string.digits, k=chance.choice([4, 5, 6, 6, 6, 8]))),
            "password": lambda: _password(chance),
            "key": lambda: chance.choice(["sk-", "ghp_", "xoxb-"]) + _token(chance, 36),
            "location": lambda: f"{chance.uniform(-80, 80):.5f}, {chance.uniform(-170, 170):.5f}",
            "_date": lambda: fake.date(
                pattern=chance.choice(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%Y", "%d.%m"])
            ),
            "_time": lambda: fake.time(pattern=chance.choice(["%H:%M", "%H:%M:%S", "%H.%M"])),
            "_price": lambda: _price(chance),
            "_number": lambda: str(chance.randint(2, 9999)),
            "_big": lambda: f"{chance.randint(10**4, 10**7):,}".replace(",", chance.choice([",", " ", "\u00a0", "."])),
            "_year": lambda: str(chance.randint(1900, 2030)),
            "_years": lambda: f"{chance.randint(1900, 2000)}-{chance.randint(2001, 2030)}",
            "_version": lambda: ".".join(str(chance.randint(0, 20)) for _ in range(chance.choice([2, 3, 4]))),
            "_isbn": lambda: fake.isbn13(),
            "_stamp": lambda: str(chance.randint(10**9, 2 * 10**9) - 1),
            "_score": lambda: f"{chance.randint(0, 120)}{chance.choice(':-')}{chance.randint(0, 120)}",
            "_order": lambda: "".join(chance.choices(string.digits, k=chance.randint(6, 12))),
            "_percent": lambda: f"{chance.uniform(0, 100):.{chance.randint(0, 2)}f}%",
            "_word": fake.word,
        }


def _phone(fake: Faker) -> str:
    return str(fake.phone_number())


def _grouped(digits: str, chance: random.Random) -> str:
    sign = chance.choice(["", " ", " ", "-"])
    if not sign or len(digits) not in (15, 16):
        return digits
    cuts = (4, 10) if len(digits) == 15 else (4, 8, 12)
    return sign.join(digits[a:b] for a, b in zip((0, *cuts), (*cuts, None), strict=True))


def _iban(iban: str, chance: random.Random) -> str:
    iban = chance.choice([iban, iban.lower()]) if chance.random() < 0.2 else iban
    return iban if chance.random() < 0.4 else " ".join(iban[i : i + 4] for i in range(0, len(iban), 4))


def _address(fake: Faker, locale: str, chance: random.Random) -> str:
    street = str(fake.street_address()).replace("\n", ", ")
    if locale == "ru_RU" and chance.random() < 0.4:
        street += f", кв. {chance.randint(1, 300)}"
    if locale == "de_DE" and chance.random() < 0.4:
        street += f", {fake.postcode()} Berlin"
    return street


def _token(chance: random.Random, length: int = 22) -> str:
    token = "".join(chance.choices(string.ascii_letters + string.digits, k=length - 3))
    return token + "7Kq"


def _password(chance: random.Random) -> str:
    makers: list[Callable[[], str]] = [
        lambda: "".join(chance.choices(string.ascii_letters + string.digits + "!#$%", k=10)) + "4x",
        lambda: chance.choice(["sunny", "dragon", "кошка", "Monkey", "qwerty"]) + str(chance.randint(10, 9999)),
        lambda: chance.choice(["Summer", "Winter"]) + str(chance.randint(1990, 2030)),
    ]
    return chance.choice(makers)()


def _price(chance: random.Random) -> str:
    amount = chance.choice(
        [str(chance.randint(5, 99999)), f"{chance.randint(1, 999)}.{chance.randint(10, 99)}",
         f"{chance.randint(1, 99)},{chance.randint(100, 999)}", f"{chance.randint(1, 99)} {chance.randint(100, 999)}"]
    )  # fmt: skip
    return chance.choice(["${}", "€{}", "£{}", "{}₽", "{} руб", "{}€", "{} usd", "{} р."]).format(amount)


def people(seed: int, locale: str, count: int, first: int) -> list[KnownPerson]:
    """Return people of a country, no two of whom share a first name or a surname."""
    fake = Faker(locale)
    fake.seed_instance(seed)
    found: list[KnownPerson] = []
    used: set[str] = set()
    while len(found) < count:
        name = _full_name(fake, locale)
        stems = {word.casefold()[:5] for word in name.split()}
        if not stems & used:
            used |= stems
            found.append(KnownPerson(first + len(found), (name,)))
    return found


def _full_name(fake: Faker, locale: str) -> str:
    woman = fake.random_int(0, 1)
    if locale == "ru_RU" and woman:
        return f"{fake.first_name_female()} {fake.last_name_female()}"
    if locale == "ru_RU":
        return f"{fake.first_name_male()} {fake.last_name_male()}"
    return f"{fake.first_name_female() if woman else fake.first_name_male()} {fake.last_name()}"


_MORPH = pymorphy3.MorphAnalyzer()


def in_case(word: str, role: str, case: str) -> str:
    """Return a Russian name in a case ("nomn", "datv"), by pymorphy3, with a capital."""
    gender = "femn" if word[-1] in "ая" else "masc"
    parses = [p for p in _MORPH.parse(word) if role in p.tag and "nomn" in p.tag and "sing" in p.tag]
    parses.sort(key=lambda p: gender not in p.tag)
    form = parses[0].inflect({case, "sing"}) if parses else None
    return str(form.word if form else word).capitalize()


def naming(maker: Maker, templates: list[str], known: list[KnownPerson], count: int) -> Iterator[Labelled]:
    """Yield messages that name people: `{name}` a first name, `{name_last}`, `{name_full}`, and cases of Russian ones."""
    for number in range(count):
        template = templates[number % len(templates)]
        first, last = maker.chance.choice(known).names[0].split()[:2]
        russian = "а" <= first[0].casefold() <= "я"
        values: dict[str, Callable[[], str]] = {}
        for slot in _SLOT.findall(template):
            case = slot.rpartition("_")[2] if slot.rpartition("_")[2] in _CASES else "nomn"
            one = in_case(first, "Name", case) if russian else first
            two = in_case(last, "Surn", case) if russian else last
            which = {"last": two, "full": f"{one} {two}", "lower": one.lower(), "caps": one.upper()}
            value = next((which[part] for part in slot.split("_")[1:] if part in which), one)
            values[slot] = lambda value=value: value  # type: ignore[misc]
        yield maker.fill(template, values)


_CASES = frozenset({"nomn", "gent", "datv", "accs", "ablt", "loct"})
