"""Finds the names of people who must not appear, and tells them from the words they are made of."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from train.people import NAMELESS, people
from train.redaction import russian
from train.redaction.common_words import COMMON_WORDS
from train.redaction.evidence import is_meant
from train.redaction.key import RedactionKey
from train.redaction.name_forms import (
    SPACELESS,
    Lemma,
    NameForm,
    fold,
    forms_of,
    in_russian,
    script_of,
    username_of,
    words_of,
)
from train.redaction.name_sounds import Sounds
from train.redaction.name_stand_ins import NameStandIns
from train.redaction.spans import Found, Span

_TOKEN = re.compile("(?:[^\\W_][\u0300-\u036f]*)+")
_NEIGHBOURS = re.compile(r"[ \u00a0-]{1,2}|\. ")
_TWO_CAPITALS = re.compile(r"(?<!\w)[^\W\d_a-zа-я]\w{0,60}[ -][^\W\d_a-zа-я]")
_PARTICLE = re.compile(r"[ODLМДОЛodlдол]['’](?=\w\w)")
_MAX_REMEMBERED = 200_000


class KnownPerson(msgspec.Struct):
    """Somebody of the message store, and what they are called."""

    person: int
    names: tuple[str, ...]
    """The speaker name, the display names of their accounts, usernames."""
    excluded: bool = False
    """Whether a name they share with somebody shown must go too."""


# Ids that platforms give, which nobody is called by.
_ID = re.compile(r"(?:user|chat|channel|group|peer|id)?[\d+()\s-]+|[UW][A-Z0-9]{7,12}|.*@.*\..*|[0-9a-fA-F-]{16,}")


def known_people(db: sqlite3.Connection) -> list[KnownPerson]:
    """Return everybody in the message store with all they are called, in the order they were first seen."""
    names: dict[int, dict[str, None]] = {}
    for person, name, account in db.execute("SELECT person_id, name, account FROM accounts ORDER BY id"):
        called = names.setdefault(person, {})
        if name:
            called[name] = None
        if account and not _ID.fullmatch(account):
            called[account] = None
    found = []
    for one in people(db):
        own = {one.speaker: None} if one.has_name else {}
        every = tuple(name for name in own | names.get(one.id, {}) if not name.startswith(NAMELESS))
        found.append(KnownPerson(one.id, every, one.excluded))
    return found


class _Known(msgspec.Struct):
    """What is known of one form of a name."""

    form: NameForm
    persons: frozenset[int]
    alone: bool
    """Whether it is replaced also without the rest of the name beside it."""


class _Token(msgspec.Struct):
    start: int
    end: int
    key: str


def is_word(key: str) -> bool:
    """Return whether a form of a name is also a word of its language."""
    return russian.is_common(key) if script_of(key) == "russian" else key in COMMON_WORDS


class Names:
    """The names of the people who must not appear, in all their forms."""

    def __init__(
        self,
        key: RedactionKey,
        hidden: Sequence[KnownPerson],
        shown: Sequence[KnownPerson],
        forgotten: Callable[[str], bool] | None,
    ) -> None:
        """Work out every form of every name; a thousand people take seconds."""
        self._key = key
        self._forgotten = forgotten
        self._remembered: dict[str, bool] = {}
        self._shown, self._shown_literal = _shown_forms(shown)
        self._forms: dict[str, _Known] = {}
        self._usernames: dict[str, list[str]] = {}
        inside: set[str] = set()
        for person in sorted(hidden, key=lambda one: one.person):
            for form_key, form in forms_of(person.names).items():
                self._add(form_key, form, person)
            for name in person.names:
                self._add_username(name, shown)
                inside |= {word for word in words_of(name) if SPACELESS.match(word) and len(word) > 1}
        self._inside = re.compile("|".join(map(re.escape, sorted(inside, key=len, reverse=True)))) if inside else None
        self._starts = self._forms.keys() | self._usernames.keys()
        latin = {known.form.lemma.word for known in self._forms.values() if known.alone and _is_english(known.form)}
        self._sounds = Sounds(latin - {known.lemma.word for known in _forms_of_shown(shown)})
        self._words: dict[str, bool] = {}
        self._stand_ins = NameStandIns(key, self._is_known)
        # In an order of their own, so that who is replaced by whom does not hang on what is read first.
        literal = {known.form.lemma for known in self._forms.values() if known.form.literal}
        for lemma in sorted(literal, key=lambda one: (one.role, one.word, one.script, one.gender or "")):
            self._stand_ins.of(lemma)

    def _add(self, key: str, form: NameForm, person: KnownPerson) -> None:
        """Note a form. Where somebody shown is called so it needs the rest of the name, unless they are excluded."""
        shared = key in (self._shown_literal if form.literal else self._shown)
        alone = person.excluded or not shared
        known = self._forms.get(key)
        if known is None:
            self._forms[key] = _Known(form, frozenset({person.person}), alone)
            return
        better = (not form.literal, form.lemma.word) < (not known.form.literal, known.form.lemma.word)
        known.form = form if better else known.form
        known.persons |= {person.person}
        known.alone = known.alone or alone

    def _add_username(self, name: str, shown: Sequence[KnownPerson]) -> None:
        username = username_of(name)
        if username is None or any(username == username_of(one) for person in shown for one in person.names):
            return
        first = _TOKEN.search(username)
        if first:
            self._usernames.setdefault(fold(first[0]), []).append(username)

    def _is_known(self, key: str) -> bool:
        return key in self._forms or key in self._shown or self._is_forgotten(key)

    def _is_forgotten(self, key: str) -> bool:
        if self._forgotten is None:
            return False
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[key] = self._forgotten(key)
        return known

    def may_be_in(self, text: str, words: Iterable[str]) -> bool:
        """Return whether one of the words of a text, as they are compared, is part of a name."""
        if not self._starts.isdisjoint(words):
            return True
        if self._inside is not None and not text.isascii() and self._inside.search(text):
            return True
        if self._sounds and not text.isascii() and self._sounds.any_like(words):
            return True
        if self._forgotten is None:
            return False
        if any(map(self._is_forgotten, words)):
            return True
        return _TWO_CAPITALS.search(text) is not None and any(self._two_forgotten(text))

    def _two_forgotten(self, text: str) -> Iterator[bool]:
        tokens = [_Token(m.start(), m.end(), fold(m[0])) for m in _TOKEN.finditer(text)]
        return (self._are_forgotten(text, one, two) for one, two in pairwise(tokens))

    def _are_forgotten(self, text: str, one: _Token, two: _Token) -> bool:
        if not (_NEIGHBOURS.fullmatch(text, one.end, two.start) and text[one.start].isupper()):
            return False
        return self._is_forgotten(f"{one.key} {two.key}")

    def find(self, text: str, found: Found) -> None:
        """Find names: whole ones, and parts of names that are no words or are meant as names where they stand."""
        if self._inside is not None:
            for match in self._inside.finditer(text):
                found.add(match.start(), match.end(), "name")
        tokens = [_Token(m.start(), m.end(), fold(m[0])) for m in _TOKEN.finditer(text)]
        for index, token in enumerate(tokens):
            for username in self._usernames.get(token.key, ()):
                self._add_username_span(text, token, username, found)
            beside = [
                tokens[near]
                for near in (index - 1, index + 1)
                if 0 <= near < len(tokens) and _are_neighbours(text, token, tokens[near])
            ]
            if self._is_name(text, token, beside):
                found.add(token.start - 2 * _has_particle(text, token), token.end, "name")

    def _add_username_span(self, text: str, token: _Token, username: str, found: Found) -> None:
        # A username can begin with an underscore, which no token does.
        start = token.start - (len(username) - len(username.lstrip("_.-")))
        end = start + len(username)
        if (
            start >= 0
            and text[start:end].lower() == username
            and not (_is_inside_word(text, start) or _is_inside_word(text, end))
        ):
            found.add(start, end, "username")

    def _is_name(self, text: str, token: _Token, beside: list[_Token]) -> bool:
        """Return whether a token is the name of somebody who must not appear, given the tokens right beside it."""
        shown = self._shown.get(token.key)
        if shown and any(shown & self._shown.get(near.key, frozenset()) for near in beside):
            # "Alex Doe" is somebody of the set, whoever else is called Alex.
            return False
        known = self._forms.get(token.key)
        if known is not None:
            if any(known.persons & self._forms[near.key].persons for near in beside if near.key in self._forms):
                return True
            if known.alone and len(token.key) > 2 and self._stands_for_a_name(text, token):
                return True
        elif not shown and self._sounds_like_a_name(text, token):
            return True
        if self._forgotten is None:
            return False
        if self._is_forgotten(token.key) and self._stands_for_a_name(text, token):
            return True
        pairs = [sorted((token, near), key=lambda one: one.start) for near in beside]
        return any(self._are_forgotten(text, one, two) for one, two in pairs)

    def _sounds_like_a_name(self, text: str, token: _Token) -> bool:
        """Return whether a token in Russian letters is a name in Latin ones, and no word of the dictionary."""
        return (
            self._sounds.like(token.key)
            and russian.may_be_name(token.key)
            and (text[token.start].isupper() or not russian.is_known(token.key))
            and self._stands_for_a_name(text, token)
        )

    def _stands_for_a_name(self, text: str, token: _Token) -> bool:
        written = text[token.start : token.end].lower()
        # "Тёма" is somebody, "тема" is something.
        word = written if "ё" in written else token.key
        if written == text[token.start : token.end] and russian.is_mostly_word(word):
            return False
        return not self._is_word(word) or is_meant(text, token.start, token.end)

    def _is_word(self, key: str) -> bool:
        known = self._words.get(key)
        if known is None:
            known = self._words[key] = is_word(key)
        return known

    def stand_in(self, span: Span) -> str:
        """Return what takes the place of a name."""
        key = fold(_PARTICLE.sub("", span.value))
        known = self._forms.get(key)
        return self._stand_ins.written(known.form if known else _guessed(key), span.value)


def _is_english(form: NameForm) -> bool:
    return form.lemma.script == "latin" and not in_russian(form.lemma.word, form.lemma.role)


def _forms_of_shown(shown: Sequence[KnownPerson]) -> Iterator[NameForm]:
    for person in shown:
        yield from forms_of(person.names).values()


def _shown_forms(shown: Sequence[KnownPerson]) -> tuple[dict[str, frozenset[int]], set[str]]:
    """Return who of the shown is called by a form, and the forms that stand in their own names."""
    persons: dict[str, frozenset[int]] = {}
    literal: set[str] = set()
    for person in shown:
        for key, form in forms_of(person.names).items():
            persons[key] = persons.get(key, frozenset()) | {person.person}
            if form.literal:
                literal.add(key)
    return persons, literal


def _are_neighbours(text: str, one: _Token, two: _Token) -> bool:
    first, second = (one, two) if one.start < two.start else (two, one)
    return _NEIGHBOURS.fullmatch(text, first.end, second.start) is not None


def _has_particle(text: str, token: _Token) -> bool:
    """Return whether "O'" or "D'" stands before a token."""
    start = token.start - 2
    return start >= 0 and _PARTICLE.match(text, start) is not None and not (start and text[start - 1].isalnum())


def _is_inside_word(text: str, at: int) -> bool:
    """Return whether a letter, digit or underscore stands on both sides of a place."""
    return 0 < at < len(text) and all(char.isalnum() or char == "_" for char in text[at - 1 : at + 1])


def _guessed(key: str) -> NameForm:
    """Return what a name whose person was forgotten seems to be."""
    if script_of(key) != "russian":
        return NameForm(Lemma(key, "Name", script_of(key)))
    role = next((one for one in ("Name", "Surn", "Patr") if one in russian.roles(key)), "Name")
    lemma = russian.lemma_of(key, role)
    # A first name's cases are one name's: "Роберта" is of "Роберт", and not a woman called so.
    gender = russian.gender_of(lemma if role == "Name" else key, role)
    form = next((one for one in russian.forms_of(lemma, role, gender) if fold(one.word) == key), None)
    return NameForm(Lemma(lemma, role, "russian", gender), form.grammemes if form else frozenset())


def name_marks(names: Iterable[str]) -> set[str]:
    """Return every word, and every two words with a space between, by which somebody of these names can be told."""
    names = list(names)
    marks = {key for key in forms_of(names) if len(key) > 2}
    for name in names:
        username = username_of(name)
        if username is not None:
            marks.add(username)
            continue
        words = [fold(word) for word in words_of(name)]
        for one, two in pairwise(words):
            marks |= {f"{one} {two}", f"{two} {one}"}
        marks |= {word for word in words if len(word) > 2 or (SPACELESS.match(word) and len(word) > 1)}
    return marks
