"""Turns stand-ins back into what they stand for, as far as the key's table has it.

The table keeps most values as they are compared: letters and digits without case. What is written around them, and in
capitals, is taken from the text. A phone number is told by its last eight digits, so that its country comes from
the text too.
"""

import re
from collections.abc import Iterator

import msgspec

from train.redaction.key import RedactionKey
from train.redaction.name_stand_ins import forms_back
from train.redaction.spans import compact
from train.redaction.stand_ins import written_like

_AS_WRITTEN = ("link", "secret", "email", "ip")
_COMPACT = ("phone", "card", "iban", "id", "wallet", "plate", "address", "location", "username")
_NAMES = ("name", "surname", "patronymic")
_WORD = re.compile(r"[^\W\d_]+")


class Revealed(msgspec.Struct, frozen=True):
    """A stand-in in a text: `text[start:end]`, and what it stands for."""

    start: int
    end: int
    kind: str
    original: str


def reveal(key: RedactionKey, text: str) -> str:
    """Return a text with the stand-ins in it, whole words of it alone, as what they stand for."""
    parts: list[str] = []
    at = 0
    for one in stand_ins_in(key, text):
        parts += (text[at : one.start], one.original)
        at = one.end
    return "".join((*parts, text[at:]))


def stand_ins_in(key: RedactionKey, text: str) -> list[Revealed]:
    """Return the stand-ins in a text in its order, none over another: of those that meet, the longer one."""
    found = [*_written(key, text), *_compacted(key, text), *_named(key, text)]
    taken = bytearray(len(text))
    kept = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if not any(taken[one.start : one.end]):
            taken[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _ends_a_word(text: str, at: int) -> bool:
    return at in (0, len(text)) or not (text[at - 1].isalnum() and text[at].isalnum())


def _written(key: RedactionKey, text: str) -> Iterator[Revealed]:
    for kind in _AS_WRITTEN:
        table = key.stand_ins(kind)
        lengths = sorted({len(one) for one in table})
        whole = text.lower() if kind in ("email", "ip") else text
        for start in range(len(text)):
            if not _ends_a_word(text, start):
                continue
            for length in lengths:
                original = table.get(whole[start : start + length])
                if original is not None and _ends_a_word(text, min(start + length, len(text))):
                    yield Revealed(start, start + length, kind, original)


def _compacted(key: RedactionKey, text: str) -> Iterator[Revealed]:
    places = [index for index, char in enumerate(text) if char.isalnum() and len(compact(char)) == 1]
    plain = "".join(compact(text[index]) for index in places)
    for kind in _COMPACT:
        table = key.stand_ins(kind)
        lengths = sorted({len(one) for one in table})
        for at, start in enumerate(places):
            # A phone number's country stands before what is told by the table.
            if kind != "phone" and not _ends_a_word(text, start):
                continue
            for length in lengths:
                original = table.get(plain[at : at + length])
                if original is None:
                    continue
                end = places[at + length - 1] + 1
                if _ends_a_word(text, end):
                    yield Revealed(start, end, kind, written_like(original, text[start:end]))


def _named(key: RedactionKey, text: str) -> Iterator[Revealed]:
    known = _forms(key)
    for word in _WORD.finditer(text) if known else ():
        found = known.get(word[0].lower())
        if found is not None:
            kind, original = found
            name = original.upper() if word[0].isupper() and len(word[0]) > 1 else original
            yield Revealed(*word.span(), kind, name.capitalize() if word[0].istitle() else name)


def _forms(key: RedactionKey) -> dict[str, tuple[str, str]]:
    """Return each form of a name that is a stand-in, with the kind and the same form of what it stands for."""
    known: dict[str, tuple[str, str]] = {}
    for kind in _NAMES:
        for stand_in, original in key.stand_ins(kind).items():
            known[stand_in] = (kind, original)
            for form, of_name in forms_back(stand_in, original, kind)[0].items():
                known.setdefault(form, (kind, of_name))
    return known
