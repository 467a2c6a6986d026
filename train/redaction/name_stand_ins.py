"""Names in the place of names: of the same script and gender, in the same case, written the same way."""

from collections.abc import Callable
from functools import cache

from train.redaction import russian
from train.redaction.key import Draws, RedactionKey
from train.redaction.name_forms import TABLE, Lemma, NameForm, fold, in_latin
from train.redaction.stand_ins import same_shape

_KINDS = {"Name": "name", "Surn": "surname", "Patr": "patronymic"}
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


class NameStandIns:
    """Gives names their stand-ins, none of which is the name of somebody known."""

    def __init__(self, key: RedactionKey, is_known: Callable[[str], bool]) -> None:
        """Make one; `is_known` says of a word, as names are compared, whether it is a form of somebody's name."""
        self._key = key
        self._is_known = is_known
        self._of: dict[Lemma, str] = {}

    def of(self, lemma: Lemma) -> str:
        """Return the stand-in of a name in its first case, in small letters."""
        known = self._of.get(lemma)
        if known is None:
            kind = _KINDS[lemma.role] if lemma.script != "other" else "name"
            known = self._of[lemma] = self._key.stand_in(
                kind, lemma.word, lambda draws: _drawn(lemma, draws), refused=lambda name: self._is_refused(name, lemma)
            )
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

    def _is_refused(self, name: str, lemma: Lemma) -> bool:
        if lemma.script != "russian":
            return self._is_known(fold(name))
        forms = [form.word for form in russian.forms_of(name, lemma.role, lemma.gender)]
        return any(self._is_known(fold(one)) for one in forms) or self._is_known(in_latin(name)[0])


def _drawn(lemma: Lemma, draws: Draws) -> str:
    if lemma.script == "other":
        return same_shape(lemma.word, draws)
    gender = lemma.gender or "mf"[draws.below(2)]
    pool = _pool(lemma.script, lemma.role, gender, _is_short(lemma.word))
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
