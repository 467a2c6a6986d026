"""Everything a name can look like in a message: cases, short forms, other alphabets, dropped accents."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import product

import msgspec
from nicknames import NickNamer

from train.redaction import russian
from train.redaction.common_words import COMMON_WORDS


class Lemma(msgspec.Struct, frozen=True):
    """A name in its first case, in small letters: what has one stand-in in all its forms."""

    word: str
    role: str
    """`Name` for a first name, `Surn` for a surname, `Patr` for a patronymic."""
    script: str
    """`latin`, `russian` or `other`."""
    gender: str | None = None
    """`m`, `f`, or None where it is not known."""


class NameForm(msgspec.Struct, frozen=True):
    """How a lemma is written in one place."""

    lemma: Lemma
    grammemes: frozenset[str] = frozenset()
    latin: bool = False
    """Whether a Russian name is written in Latin letters."""
    suffix: str = ""
    literal: bool = True
    """Whether it stands in the person's own name, and does not only follow from it."""


class NameTable(msgspec.Struct):
    """What `names.json` holds."""

    russian: dict[str, dict[str, list[str]]]
    """By gender: full first names with their short forms."""
    latin: dict[str, list[str]]
    """First names by gender, and surnames, that stand in for others."""
    genders: dict[str, list[str]]
    """Frequent English first names by gender, in small letters."""
    russian_surnames: list[str]
    patronymics: dict[str, list[str]]


TABLE = msgspec.json.decode(files("train.redaction").joinpath("names.json").read_bytes(), type=NameTable)

# Said of people in their stead, or parts of names that are no names: "Mom", "Dr", "van".
_NO_NAMES = frozenset(
    """mom mum mummy mommy mama mother dad daddy papa father grandma grandpa granny nana gran aunt auntie uncle cousin
    bro brother sis sister son daughter wife husband hubby wifey babe baby honey love boss work office home landlord
    neighbour neighbor doctor dentist plumber teacher coach taxi support service the and new old deleted account user
    telegram whatsapp unknown private number group chat admin bot channel mr mrs ms miss dr prof sir jr sr phd von van
    der den del des dela las los bin ibn abu ter ten zum zur san the saint мама мамочка мамуля папа папочка бабушка
    баба дедушка дед тётя тетя дядя брат братик сестра сестрёнка муж жена сын дочь дочка любимый любимая любовь моя мой
    зая зайка котик солнышко доктор врач босс шеф работа дом сосед соседка такси сервис поддержка удалённый аккаунт
    удаленный группа чат бот канал админ новый новая старый коллега mutti vati oma opa tante onkel bruder schwester
    papà papá mamá maman tía tío abuela abuelo nonna nonno""".split()
) - {"love", "любовь"}
_SPECIAL = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ё": "е", "ð": "d", "þ": "th"})
_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_USERNAME = re.compile(r"@?(?=[^\s]*[0-9_.]|@)[A-Za-z0-9_](?:[\w.-]{0,40})[A-Za-z0-9_]")
# Scripts that put no spaces between words: names are looked for inside of them.
SPACELESS = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class _Plain(dict[int, str]):
    """Letters without their accents, as they are compared; Russian "й" is a letter of its own."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = "й" if char in "йЙ" else _ACCENTS.sub("", unicodedata.normalize("NFKD", char.casefold()))
        self[code] = plain = folded.translate(_SPECIAL)
        return plain


_PLAIN = _Plain()


def fold(text: str) -> str:
    """Return text as names are compared: without case and Latin accents, "ё" as "е"."""
    if text.isascii():
        return text.lower()
    if _ACCENTS.search(text):
        text = unicodedata.normalize("NFC", text)
    return text.casefold().translate(_PLAIN)


def script_of(word: str) -> str:
    """Return `latin`, `russian` or `other`, by the first letter."""
    first = fold(word[:1])[:1]
    if "a" <= first <= "z":
        return "latin"
    return "russian" if "а" <= first <= "я" else "other"


def username_of(name: str) -> str | None:
    """Return a name in small letters where it is a username: one word with a digit, a dot, an underscore or an @."""
    match = _USERNAME.fullmatch(name.strip())
    return match[0].lstrip("@").lower() if match and any(map(str.isalpha, match[0])) else None


def words_of(name: str) -> list[str]:
    """Return the words of a name that are names: no titles, numbers, kinship."""
    name = unicodedata.normalize("NFC", name)
    return [
        word
        for word in _WORD.findall(name)
        if word.isalpha() and word.casefold() not in _NO_NAMES and (len(word) > 1 or SPACELESS.match(word))
    ]


def with_roles(words: list[str]) -> list[tuple[str, str]]:
    """Return each word of a name with its role: the first is the first name and the last the surname, unless known."""
    can_be = [russian.roles(word) if script_of(word) == "russian" else frozenset[str]() for word in words]
    found: list[str] = []
    for index, roles in enumerate(can_be):
        if roles == {"Patr"} or ("Patr" in roles and index > 0):
            found.append("Patr")
        elif len(roles) == 1:
            found.append(next(iter(roles)))
        else:
            found.append("Surn" if index and index == len(words) - 1 and "Name" not in found[1:] else "Name")
    if len(words) > 1 and found[0] == "Surn" and "Name" not in found:
        found[-1] = "Name"
    return list(zip(words, found, strict=True))


def forms_of(names: Iterable[str]) -> dict[str, NameForm]:
    """Return every form of the names of one person, by how it is compared; what is literal goes before what follows."""
    named = [with_roles(words_of(name)) for name in names if username_of(name) is None]
    pairs = list(dict.fromkeys(pair for words in named for pair in words))
    gender = _gender(pairs)
    found: dict[str, NameForm] = {}
    for literal in (True, False):
        for word, role in pairs:
            for written, form in _forms(word, role, gender, literal):
                key = fold(written)
                if len(key) > 1:
                    found.setdefault(key, form)
    return found


def _gender(pairs: list[tuple[str, str]]) -> str | None:
    for wanted in ("Patr", "Name", "Surn"):
        for word, role in pairs:
            if role != wanted:
                continue
            known = _latin_gender(word) if script_of(word) == "latin" else russian.gender_of(word, role)
            if known:
                return known
    return None


def _latin_gender(word: str) -> str | None:
    for gender in ("m", "f"):
        if word.casefold() in TABLE.genders[gender] or word.casefold() in _russian_in_latin(gender):
            return gender
    return "f" if word.casefold().endswith(("a", "elle", "ette", "lyn", "ë")) else None


def _forms(word: str, role: str, gender: str | None, literal: bool) -> Iterator[tuple[str, NameForm]]:
    """Yield how a word of a name is written: itself in all its cases, or else its short forms and other alphabets."""
    script = script_of(word)
    if script == "russian":
        yield from _russian_forms(word.lower(), role, gender, literal)
    elif script == "latin":
        yield from _latin_forms(word, role, gender, literal)
    elif literal:
        yield word, NameForm(Lemma(fold(word), role, "other"))


def _russian_forms(word: str, role: str, gender: str | None, literal: bool) -> Iterator[tuple[str, NameForm]]:
    if literal:
        yield from _in_cases(word, role, gender)
        return
    for written, form in _in_cases(word, role, gender):
        first = written == word
        if first or ("sing" in form.grammemes and len(written) > 3):
            for latin in in_latin(written) if first else in_latin(written)[:1]:
                yield latin, msgspec.structs.replace(form, latin=True, literal=False)
    if role == "Name":
        for short in (*russian_relatives(word, gender), *diminutives(word, gender)):
            for written, form in _in_cases(short.lower(), role, gender):
                yield written, msgspec.structs.replace(form, literal=False)
                if written == short.lower():
                    yield in_latin(written)[0], msgspec.structs.replace(form, latin=True, literal=False)


_FOND = ("очка", "ечка", "юха", "уха", "уля", "енька")


def diminutives(word: str, gender: str | None) -> list[str]:
    """Return fond forms of a first name by its endings, those that are no words and in no list: "Настюха",
    "Розочка"."""
    relatives = russian_relatives(word, gender)
    bases = {one.lower() for one in (word, *relatives[:1], *[one for one in relatives if len(one) <= 5][:1])}
    found: dict[str, None] = {}
    for base in bases:
        if base[-1:] in "ая" and len(base) > 3:
            found |= dict.fromkeys(base[:-1] + end for end in _FOND)
    known = {fold(one) for one in relatives}
    return [one for one in found if fold(one) not in known]


def _in_cases(word: str, role: str, gender: str | None) -> Iterator[tuple[str, NameForm]]:
    lemma = Lemma(russian.lemma_of(word, role) if role == "Surn" else word, role, "russian", gender)
    for form in russian.forms_of(word, role, gender):
        yield form.word, NameForm(lemma, form.grammemes)


def _latin_forms(word: str, role: str, gender: str | None, literal: bool) -> Iterator[tuple[str, NameForm]]:
    lemma = Lemma(fold(word), role, "latin", gender)
    if literal:
        yield from _with_s(lemma)
        if "'" in word or "’" in word:
            yield word.lower().replace("'", "").replace("’", ""), NameForm(lemma)
        spelled = word.lower().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
        if fold(spelled) != lemma.word:
            yield spelled, NameForm(lemma)
        return
    if role == "Name":
        for short in english_relatives(lemma.word):
            for written, form in _with_s(Lemma(short, role, "latin", gender)):
                yield written, msgspec.structs.replace(form, literal=False)
    for cyrillic in in_russian(lemma.word, role):
        for written, form in _in_cases(cyrillic, role, gender):
            yield written, msgspec.structs.replace(form, literal=False)


def _with_s(lemma: Lemma) -> Iterator[tuple[str, NameForm]]:
    yield lemma.word, NameForm(lemma)
    # "zoes cat", as it is typed.
    if len(lemma.word) > 2 and lemma.word not in COMMON_WORDS and f"{lemma.word}s" not in COMMON_WORDS:
        yield f"{lemma.word}s", NameForm(lemma, suffix="s")


@cache
def _russian_relatives() -> dict[str, list[tuple[str, str, list[str]]]]:
    found: dict[str, list[tuple[str, str, list[str]]]] = {}
    for gender, table in TABLE.russian.items():
        for full, short in table.items():
            for one in (full, *short):
                found.setdefault(fold(one), []).append((gender, full, short))
    return found


def russian_relatives(word: str, gender: str | None) -> list[str]:
    """Return the other forms of a first name: "Саша" is Александр or Александра, and Саня and Шура."""
    found: dict[str, None] = {}
    for known, full, short in _russian_relatives().get(fold(word), ()):
        if gender in (None, known):
            found |= dict.fromkeys((full, *short))
    return [one for one in found if fold(one) != fold(word)]


@cache
def _nicknames() -> NickNamer:
    return NickNamer()


# Short forms that are words too, and mostly names where they have a capital.
_SHORT_WORDS = frozenset(
    "bill will rich rob art drew pat ray sandy sue jay don lily rose gene herb chuck penny vic val".split()
)


def english_relatives(word: str) -> list[str]:
    """Return the other forms of a first name: "robert" is Bob and Rob, "bob" is Robert."""
    names = _nicknames()
    found = names.nicknames_of(word) | names.canonicals_of(word)
    return sorted(
        one for one in found if len(one) > 2 and one.isalpha() and (one not in COMMON_WORDS or one in _SHORT_WORDS)
    )


_LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e yo", "ж": "zh j", "з": "z", "и": "i",
    "й": "y i j", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "kh h", "ц": "ts c", "ч": "ch", "ш": "sh", "щ": "shch sch", "ъ": "", "ы": "y", "ь": "", "э": "e",
    "ю": "yu iu u", "я": "ya ia",
}  # fmt: skip
_MANY = 12


def in_latin(word: str) -> list[str]:
    """Return how a Russian word is written in Latin letters, the usual way first; at most 12 ways."""
    choices = [_LATIN.get(char, char).split() or [""] for char in word.lower()]
    if word.lower().endswith("ия") and len(word) > 3:
        choices[-2:] = [["iya", "ia", "iia", "ija"]]
    if word.lower().endswith(("ий", "ый")):
        choices[-2:] = [["y", "iy", "ii", "i"]]
    found: dict[str, None] = {}
    for letters in product(*choices):
        found.setdefault("".join(letters))
        if len(found) == _MANY:
            break
    return [*found, *(one.replace("ks", "x") for one in found if "ks" in one)]


@cache
def _russian_in_latin(gender: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for full, short in TABLE.russian[gender].items():
        for one in (full, *short):
            for latin in in_latin(one):
                found.setdefault(latin, []).append(one.lower())
    return found


_SURNAME_ENDS = re.compile(r".{2,}(?:ov|ova|ev|eva|yev|yeva|in|ina|sky|skiy|skii|skaya|skaia|enko|chuk|yuk|uk)")
_CYRILLIC = (
    ("shch", "щ"), ("sch", "щ"), ("skiy", "ский"), ("skii", "ский"), ("sky", "ский"), ("skaya", "ская"),
    ("zh", "ж"), ("kh", "х"), ("ts", "ц"),
    ("ch", "ч"), ("sh", "ш"), ("ya", "я"), ("ia", "ия"), ("yu", "ю"), ("iu", "ю"), ("yo", "ё"), ("ye", "е"),
    ("a", "а"), ("b", "б"), ("c", "к"), ("d", "д"), ("e", "е"), ("f", "ф"), ("g", "г"), ("h", "х"), ("i", "и"),
    ("j", "й"), ("k", "к"), ("l", "л"), ("m", "м"), ("n", "н"), ("o", "о"), ("p", "п"), ("q", "к"), ("r", "р"),
    ("s", "с"), ("t", "т"), ("u", "у"), ("v", "в"), ("w", "в"), ("x", "кс"), ("y", "ы"), ("z", "з"),
)  # fmt: skip
_AFTER_VOWEL = re.compile(r"(?<=[aeiou])y(?![aeou])")


def in_russian(word: str, role: str) -> list[str]:
    """Return how a name in Latin letters is written in Russian where it is a Russian one: "masha", "kozlov"."""
    if role == "Name":
        return sorted({one for gender in ("m", "f") for one in _russian_in_latin(gender).get(word, ())})
    if not _SURNAME_ENDS.fullmatch(word):
        return []
    left, written = _AFTER_VOWEL.sub("j", word), ""
    while left:
        latin, cyrillic = next((pair for pair in _CYRILLIC if left.startswith(pair[0])), (left[0], left[0]))
        written += cyrillic
        left = left[len(latin) :]
    return [written]
