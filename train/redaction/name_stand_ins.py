"""Names in the place of names: of the same script and gender, in the same case, written the same way."""

import re
from collections.abc import Callable
from functools import cache

from train.redaction import russian
from train.redaction.key import Draws, RedactionKey
from train.redaction.name_forms import TABLE, Lemma, NameForm, fold, in_latin
from train.redaction.stand_ins import same_shape

_KINDS = {"Name": "name", "Surn": "surname", "Patr": "patronymic"}
_ROLES = {kind: role for role, kind in _KINDS.items()}
_RUSSIAN = re.compile("[а-яё-]+")
_ADJECTIVE = re.compile(r".*(?:ий|ый|ой|ая|яя)")
_EXACT = 120
"""For so many candidates one is looked for of which every form leads back."""
_FROM_THE_LISTS = 60
"""After so many candidates that are taken or somebody's name, names are made up."""
_CONSONANTS, _VOWELS = ("b d f g k l m n r s t v z", "a e i o u")
_SYLLABLES = {
    "latin": [c + v for c in _CONSONANTS.split() for v in _VOWELS.split()],
    "russian": [c + v for c in "б в г д з к л м н р с т".split() for v in "а е и о у".split()],
}
_ENDS = {
    ("latin", "Surn", None): "ford ton well mont wick worth".split(),
    ("latin", "Name", "m"): "n r s l".split(),
    ("latin", "Name", "f"): "na ra la sa".split(),
    ("russian", "Surn", None): "нов лов ров ков".split(),
    ("russian", "Name", "m"): "н р м л".split(),
    ("russian", "Name", "f"): "на ра ла са".split(),
}


def forms_back(stand_in: str, original: str, kind: str) -> tuple[dict[str, str], bool]:
    """Return the forms of a stand-in with those of the name it stands for, in small letters, and whether all lead back.

    A form does not where it is two cases that the name itself tells apart: "Козлова" is hers or of his, "Толстая" and
    "Толстого" are two.
    """
    back = {stand_in: original}
    exact = True
    role = _ROLES[kind]
    if not _RUSSIAN.fullmatch(stand_in):
        back.setdefault(f"{stand_in}s", f"{original}s")
        return back, exact
    for gender in ("m", "f") if role == "Surn" else (russian.gender_of(stand_in, role),):
        for form in russian.forms_of(stand_in, role, gender):
            of_name = russian.inflected(original, role, gender, form.grammemes)
            if back.setdefault(form.word, of_name) != of_name:
                exact = False
    if exact:
        genders = ("m", "f") if role == "Surn" else (russian.gender_of(original, role),)
        exact = all(
            back.get(russian.inflected(stand_in, role, gender, marks))
            == russian.inflected(original, role, gender, marks)
            for gender in genders
            for marks in _marks(gender if role == "Surn" else None)
        )
    latin = in_latin(stand_in)[0]
    back.setdefault(latin, in_latin(original)[0])
    return back, exact


def _marks(gender: str | None) -> list[frozenset[str]]:
    """Return the grammemes of each case in the singular."""
    own = {"m": {"masc"}, "f": {"femn"}}.get(gender or "", set())
    return [frozenset({case, "sing"} | own) for case in ("nomn", "gent", "datv", "accs", "ablt", "loct")]


class NameStandIns:
    """Gives names their stand-ins, none of which is the name of somebody known."""

    def __init__(self, key: RedactionKey, is_known: Callable[[str], bool]) -> None:
        """Make one; `is_known` says of a word, as names are compared, whether it is a form of somebody's name."""
        self._key = key
        self._is_known = is_known
        self._of: dict[Lemma, str] = {}
        self._turn = 0
        # Whose a form of a stand-in is: with one form for two names, neither could be turned back.
        self._owners: dict[str, str] = {}
        for kind in _ROLES:
            for stand_in, original in key.stand_ins(kind).items():
                self._own(stand_in, original, kind)

    def of(self, lemma: Lemma) -> str:
        """Return the stand-in of a name in its first case, in small letters."""
        known = self._of.get(lemma)
        if known is None:
            kind = _KINDS[lemma.role] if lemma.script != "other" else "name"
            known = self._of[lemma] = self._key.stand_in(
                kind,
                lemma.word,
                lambda draws: self._drawn(lemma, draws),
                refused=lambda name: self._is_refused(name, lemma),
            )
            self._turn = 0
            self._own(known, lemma.word, kind)
        return known

    def written(self, form: NameForm, word: str) -> str:
        """Return the stand-in of a form of a name, with the capitals of `word`."""
        stand_in = self.of(form.lemma)
        if form.lemma.script == "russian":
            stand_in = russian.inflected(stand_in, form.lemma.role, form.lemma.gender, form.grammemes)
        if form.latin:
            stand_in = in_latin(stand_in)[0]
        stand_in += form.suffix
        if word.isupper() and len(word) > 1:
            return stand_in.upper()
        return stand_in.capitalize() if word[0].isupper() else stand_in

    def _own(self, stand_in: str, original: str, kind: str) -> None:
        for form in forms_back(stand_in, original, kind)[0]:
            self._owners.setdefault(form, f"{kind} {original}")

    def _drawn(self, lemma: Lemma, draws: Draws) -> str:
        self._turn = draws.turn
        return _drawn(lemma, draws)

    def _is_refused(self, name: str, lemma: Lemma) -> bool:
        if lemma.script != "russian":
            return self._is_known(fold(name)) or not self._leads_back(name, lemma)
        if self._is_known(fold(name)) or self._is_known(in_latin(name)[0]):
            return True
        forms = russian.forms_of(name, lemma.role, lemma.gender)
        return any(self._is_known(fold(form.word)) for form in forms) or not self._leads_back(name, lemma)

    def _leads_back(self, name: str, lemma: Lemma) -> bool:
        """Return whether every form of a stand-in stands for one form of one name; after many tries it need not."""
        if self._turn >= _EXACT or lemma.script == "other":
            return True
        kind = _KINDS[lemma.role]
        own = f"{kind} {lemma.word}"
        if self._owners.get(name, own) != own:
            return False
        back, exact = forms_back(name, lemma.word, kind)
        return exact and all(self._owners.get(form, own) == own for form in back)


def _drawn(lemma: Lemma, draws: Draws) -> str:
    if lemma.script == "other":
        return same_shape(lemma.word, draws)
    gender = lemma.gender or "mf"[draws.below(2)]
    pool = _pool(lemma.script, lemma.role, gender, _is_short(lemma.word))
    if lemma.role == "Surn" and lemma.script == "russian" and _ADJECTIVE.fullmatch(lemma.word):
        # Adjectives have cases that other surnames have not: "Толстого" goes by "Агафоновского".
        own = pool[draws.below(len(pool))]
        return own if _ADJECTIVE.fullmatch(own) else f"{own}ский"
    if draws.turn < _FROM_THE_LISTS:
        return pool[draws.below(len(pool))]
    syllables = _SYLLABLES[lemma.script]
    ends = _ENDS[lemma.script, "Surn", None] if lemma.role != "Name" else _ENDS[lemma.script, "Name", gender]
    made = "".join(syllables[draws.below(len(syllables))] for _ in range(2 + draws.below(2)))
    return made + ends[draws.below(len(ends))]


@cache
def _pool(script: str, role: str, gender: str, short: bool) -> list[str]:
    """Return names to draw from, in small letters; none that is a word."""
    if script == "latin":
        return [one.lower() for one in TABLE.latin["surnames" if role == "Surn" else gender]]
    if role == "Surn":
        names = TABLE.russian_surnames
    elif role == "Patr":
        names = TABLE.patronymics[gender]
    elif short:
        # Short names that could be a man's or a woman's are left out, so that cases and verbs fit.
        both = _short_names("m") & _short_names("f")
        names = [s for shorts in TABLE.russian[gender].values() for s in shorts[:2] if fold(s) not in both]
    else:
        names = list(TABLE.russian[gender])
    return sorted({one.lower() for one in names if not russian.is_common(one)})


@cache
def _short_names(gender: str) -> frozenset[str]:
    return frozenset(fold(one) for shorts in TABLE.russian[gender].values() for one in shorts)


def _is_short(word: str) -> bool:
    return fold(word) in _short_names("m") | _short_names("f")
