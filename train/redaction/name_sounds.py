"""Tells that a word in Russian letters is a name in Latin ones by how both sound: "Уитфилд" is Whitfield.

English names are written in Russian by ear, in more ways than rules give. Their consonants stay: a name and a word are
compared by these, and short names, which have too few, by a table.
"""

import re
from collections.abc import Iterable

_MIN_CONSONANTS = 3
_LONGEST = 24
_MAX_KNOWN = 200_000
_LATIN = (
    ("tch", "C"), ("chr", "kr"), ("chl", "kl"), ("sch", "S"), ("sh", "S"), ("ch", "C"), ("ph", "f"), ("th", "t"),
    ("wh", "v"), ("ck", "k"), ("ght", "t"), ("gh", ""), ("dge", "J"), ("dg", "J"), ("qu", "kv"), ("x", "ks"),
    ("ce", "s"), ("ci", "s"), ("cy", "s"), ("c", "k"), ("w", "v"), ("j", "J"), ("q", "k"),
)  # fmt: skip
_RUSSIAN = {
    "б": "b", "в": "v", "г": "g", "д": "d", "ж": "J", "з": "z", "к": "k", "л": "l", "м": "m", "н": "n", "п": "p",
    "р": "r", "с": "s", "т": "t", "ф": "f", "х": "h", "ц": "ts", "ч": "C", "ш": "S", "щ": "S",
}  # fmt: skip
_DOUBLE = re.compile(r"(.)\1+")
_ENDS = ("", "а", "у", "ом", "ем", "е", "ой", "ей", "ы", "и", "ю", "я", "ым")
# Names of one or two consonants, and those that are not written as they sound.
_TABLE = {
    latin: russian.split("|")
    for latin, russian in (
        pair.split(":")
        for pair in """bob:боб rob:роб hope:хоуп may:мэй|мей joe:джо amy:эми lee:ли ray:рэй|рей kate:кейт mary:мэри|мери
        lily:лили lucy:люси mike:майк dave:дейв|дэйв jake:джейк luke:люк sue:сью ann:энн|анн anne:энн|анн ben:бен
        dan:дэн
        tom:том tim:тим jim:джим ted:тед sam:сэм max:макс pam:пэм kim:ким jay:джей kay:кей zoe:зои|зоя noah:ноа
        chloe:хлоя jane:джейн joan:джоан john:джон jean:джин sean:шон shaun:шон ian:иан|йен liam:лиам owen:оуэн
        emma:эмма
        ella:элла rose:роуз|роза ruby:руби jack:джек nick:ник rick:рик bill:билл will:уилл|вилл phil:фил paul:пол
        roy:рой
        guy:гай hugh:хью jess:джесс meg:мег leo:лео eve:ева|ив adam:адам mia:миа|мия ava:ава|эйва liz:лиз pete:пит
        tony:тони andy:энди danny:дэнни jenny:дженни molly:молли holly:холли billy:билли bobby:бобби charlie:чарли
        george:джордж james:джеймс thomas:томас charles:чарльз michael:майкл|михаэль hannah:ханна|анна sarah:сара
        siobhan:шивон cohen:коэн chen:чен|чэнь wang:ван lee:ли park:пак|парк jones:джонс hughes:хьюз|хьюс""".split()
    )
}


def _without_vowels(word: str) -> str:
    starts_with_vowel = word[:1] in "aeiouyаеёиоуыэюяй"
    consonants = "".join(char for char in word if char not in "aeiouyаеёиоуыэюяйьъ")
    return ("_" if starts_with_vowel else "") + _DOUBLE.sub(r"\1", consonants)


def latin_sounds(name: str) -> set[str]:
    """Return how the consonants of a name in small Latin letters sound."""
    spelled = name
    for letters, sound in _LATIN:
        spelled = spelled.replace(letters, sound)
    spelled = spelled[:1] + spelled[1:].replace("h", "")
    found = {_without_vowels(spelled)}
    if "J" in spelled:
        # "Jürgen" is "Юрген", "Jackson" is "Джексон".
        found.add(_without_vowels(spelled.replace("J", "y")))
    if spelled.startswith("h"):
        found |= {_without_vowels(f"g{spelled[1:]}")}
    return {one for one in found if len(one.strip("_")) >= _MIN_CONSONANTS}


def russian_sounds(word: str) -> str:
    """Return how the consonants of a word in small Russian letters sound."""
    word = word.replace("дж", "ж")
    if word[:1] == "у" and word[1:2] in "аеиоуыэюя":
        word = f"в{word[1:]}"
    spelled = "".join(_RUSSIAN.get(char, char) for char in word)
    return _without_vowels(spelled[:1] + spelled[1:].replace("h", ""))


class Sounds:
    """The names that are written in Latin letters, by how they sound in Russian."""

    def __init__(self, names: Iterable[str]) -> None:
        """Make it of names in small Latin letters."""
        names = list(names)
        self._sounds = {sound for name in names for sound in latin_sounds(name)}
        self._written = {russian for name in names for russian in _TABLE.get(name, ())}
        self._unlike: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._sounds or self._written)

    def any_like(self, words: Iterable[str]) -> bool:
        """Return whether any of some words, in small letters, sounds like one of the names."""
        # Most words of a chat have been asked about before.
        if self._unlike.issuperset(words):
            return False
        return True in {self.like(word) for word in words}

    def like(self, word: str) -> bool:
        """Return whether a word in small Russian letters, in any case, sounds like one of the names."""
        if word in self._unlike:
            return False
        if "а" <= word[:1] <= "я" and 2 <= len(word) <= _LONGEST and self._sounds_like(word):
            return True
        if len(self._unlike) >= _MAX_KNOWN:
            self._unlike.clear()
        self._unlike.add(word)
        return False

    def _sounds_like(self, word: str) -> bool:
        stems = {word[: len(word) - len(end)] for end in _ENDS if word.endswith(end)}
        stems |= {f"{stem}{end}" for stem in list(stems) for end in ("а", "я", "й")}
        return (
            not self._written.isdisjoint(stems)
            or russian_sounds(word) in self._sounds
            or any(russian_sounds(stem) in self._sounds for stem in stems if len(stem) > 3)
        )
