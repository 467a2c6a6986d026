"""Russian names in all their cases, by pymorphy3 and its dictionary."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

_NAME_TAGS = frozenset({"Name", "Surn", "Patr"})
_NO_WORDS = _NAME_TAGS | {"Geox", "Orgn", "Abbr"}
_COMMON = frozenset(files("train.redaction").joinpath("russian_words.txt").read_text("utf-8").split())
_SURE = 0.6
"""From this share of name readings on (pymorphy3's estimate), a word is a name also in small letters."""
_NOW_AND_THEN = 0.2
_VOCATIVE_ENDS = {"а": "", "я": "ь"}


class Form(msgspec.Struct, frozen=True):
    """A word in one of its cases: `grammemes` are pymorphy3's for case, number and gender."""

    word: str
    grammemes: frozenset[str] = frozenset()


@cache
def _analyzer() -> Any:
    # Loads in a fifth of a second and holds 20 MB: only for those who have Russian names.
    import pymorphy3

    return pymorphy3.MorphAnalyzer(lang="ru")


@cache
def _parses(word: str) -> tuple[Any, ...]:
    return tuple(_analyzer().parse(word))


def _is_from_dictionary(parse: Any) -> bool:
    return bool(parse.is_known)


def roles(word: str) -> frozenset[str]:
    """Return what a word can be as part of a name, as pymorphy3's dictionary has it: of Name, Surn, Patr."""
    return frozenset(
        tag for parse in _parses(word.lower()) if _is_from_dictionary(parse) for tag in parse.tag.grammemes
    ) & (_NAME_TAGS)


def is_common(word: str) -> bool:
    """Return whether a word, in this form, is mostly something else than a name: "вера", "света", "роман"."""
    parses = [parse for parse in _parses(word.lower()) if _is_from_dictionary(parse)]
    share = sum(parse.score for parse in parses if _NAME_TAGS & parse.tag.grammemes)
    others = [p for p in parses if not (_NO_WORDS & p.tag.grammemes) and p.tag.POS != "GRND"]
    return bool(others) and (share == 0 or (share < _SURE and any(parse.normal_form in _COMMON for parse in others)))


@cache
def is_known(word: str) -> bool:
    """Return whether the dictionary has a word."""
    return any(map(_is_from_dictionary, _parses(word.lower())))


@cache
def may_be_name(word: str) -> bool:
    """Return whether a word is in no dictionary, or in it as a name."""
    parses = [parse for parse in _parses(word.lower()) if _is_from_dictionary(parse)]
    return not parses or any(_NAME_TAGS & parse.tag.grammemes for parse in parses)


@cache
def is_mostly_word(word: str) -> bool:
    """Return whether a word in small letters says a thing at least now and then: "роза", "марка"."""
    if not "а" <= word[:1].lower() <= "я":
        return False
    parses = [parse for parse in _parses(word.lower()) if _is_from_dictionary(parse)]
    others = sum(p.score for p in parses if not (_NO_WORDS & p.tag.grammemes) and p.tag.POS == "NOUN")
    return bool(others > _NOW_AND_THEN)


def is_verb(word: str) -> bool:
    """Return whether a word tells of what a person does or did: "пришла", "говорит"."""
    tags = [parse.tag for parse in _parses(word.lower())]
    if not tags:
        return False
    # "Мельник права", "Мельнику не звони"
    said = tags[0].POS == "VERB" and (tags[0].tense == "past" or tags[0].person == "3per" or tags[0].mood == "impr")
    return said or any(tag.POS == "ADJS" and tag.number == "sing" for tag in tags[:2])


@cache
def is_surname_of_whom(word: str) -> bool:
    """Return whether a word is a surname in the genitive, as streets are called: "Ленина", "Гагарина"."""
    return any({"Surn", "gent", "sing"} <= parse.tag.grammemes for parse in _parses(word.lower()) if parse.is_known)


@cache
def is_street_adjective(word: str) -> bool:
    """Return whether a word is an adjective of a street or an avenue: "Садовую", "Кутузовском"; or a street's name."""
    for parse in _parses(word.lower()):
        marks = parse.tag.grammemes
        if parse.is_known and (("ADJF" in marks and marks & {"femn", "masc"} and "sing" in marks) or "Geox" in marks):
            return True
    # The dictionary has few names of streets: those that end like one are taken for one.
    return word.lower().endswith(("ской", "скую", "ская", "ском", "ский", "ного", "ную", "ная"))


@cache
def _best(word: str, role: str, gender: str | None) -> Any:
    """Return the reading of a name in its first case that fits best."""

    def fit(parse: Any) -> tuple[bool, bool, bool, bool, bool]:
        tag = parse.tag
        return (
            "nomn" in tag and "plur" not in tag,
            role in tag,
            gender is None or gender in tag or "ms-f" in tag,
            tag.POS == "NOUN",
            "anim" in tag,
        )

    return max(_parses(word.lower()), key=fit)


def gender_of(word: str, role: str) -> str | None:
    """Return "m" or "f" where a name is one of them alone; None where it is both or not known."""
    genders = {
        parse.tag.gender
        for parse in _parses(word.lower())
        if role in parse.tag and "nomn" in parse.tag and "ms-f" not in parse.tag
    }
    if len(genders) != 1 or any(role in parse.tag and "ms-f" in parse.tag for parse in _parses(word.lower())):
        return None
    return {"masc": "m", "femn": "f"}.get(str(genders.pop()))


def lemma_of(word: str, role: str) -> str:
    """Return a name in its first case; of surnames, the man's: "козловой" and "козлов" are one."""
    parses = [parse for parse in _parses(word.lower()) if role in parse.tag]
    return str(parses[0].normal_form) if parses else word.lower()


@cache
def forms_of(word: str, role: str, gender: str | None) -> tuple[Form, ...]:
    """Return a name in every case and number, and as one calls out to somebody ("Маш", "Кать")."""
    word = word.lower()
    best = _best(word, role, {"m": "masc", "f": "femn"}.get(gender or ""))
    found = {
        word: Form(word, frozenset({"nomn", "sing"} | {one for one in (best.tag.gender,) if one and role == "Surn"}))
    }
    if role in best.tag or best.tag.POS == "NOUN" or (role == "Surn" and best.tag.POS == "ADJF"):
        # "Козлова" is hers before it is of his: what is said first of a form stays.
        own = {"m": "masc", "f": "femn"}.get(gender or "", "")
        for one in sorted(best.lexeme, key=lambda one: own not in one.tag if own else False):
            tag = one.tag
            if one.word not in found and "Erro" not in tag:
                marks = {tag.case, tag.number, tag.gender} - {None, "voct"}
                found[one.word] = Form(one.word, frozenset(marks or {"nomn", "sing"}))
    if role == "Name" and len(word) > 3 and word[-1] in _VOCATIVE_ENDS:
        called = word[:-1] + _VOCATIVE_ENDS[word[-1]]
        for one in (called, word[:-1]):
            if len(one) > 2:
                found.setdefault(one, Form(one, frozenset({"voct"})))
    return tuple(found.values())


@cache
def inflected(word: str, role: str, gender: str | None, grammemes: frozenset[str]) -> str:
    """Return a name in the case, number and gender that another one has."""
    word = word.lower()
    if "voct" in grammemes:
        return word[:-1] if word[-1:] in "ая" and len(word) > 3 else word
    best = _best(word, role, {"m": "masc", "f": "femn"}.get(gender or ""))
    wanted = set(grammemes)
    for marks in (wanted, wanted - {"masc", "femn", "neut"}):
        form = best.inflect(marks) if marks else None
        if form is not None:
            return str(form.word)
    return word
