"""How replies are written: length, marks, capitals, languages, first and last words; and how far two sides differ.

Numbers of replies are compared by energy distance (Székely and Rizzo, 2013), in units of the real replies' standard
deviation; first words, last words, punctuation and emoji by Jensen-Shannon distance (Lin, 1991; base 2, from 0 to 1).
What two halves of the real replies differ by is the noise floor: a persona cannot be expected to come nearer. The sides
are always compared in samples of one size, since both distances shrink with more of it.
"""

from __future__ import annotations

import random
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from persona.errors import UserError

T = TypeVar("T")
Compare = Callable[[Sequence[T], Sequence[T]], float]

SPLITS = 20
"""Random halves whose distances are averaged."""

_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_EMOJI = re.compile(r"[\U0001F000-\U0001FAFF☀-➿⬀-⯿]")
_MARK = re.compile(r"\.{2,}|…|[!?]+|\)+|\(+|[^\w\s]")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _capitals(text: str) -> float:
    letters = [char for char in text if char.isalpha()]
    return _share(sum(char.isupper() for char in letters), len(letters))


def _non_latin(text: str) -> float:
    letters = [char for char in text if char.isalpha()]
    return _share(sum(not unicodedata.name(char, "").startswith("LATIN") for char in letters), len(letters))


def _loops(text: str) -> float:
    """The share of three words in a row that came before in the same reply."""
    words = [word.casefold() for word in _WORDS.findall(text)]
    runs = [tuple(words[start : start + 3]) for start in range(len(words) - 2)]
    return _share(len(runs) - len(set(runs)), len(runs))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORDS.findall(text)]


NUMBERS: dict[str, Callable[[str], float]] = {
    "characters": lambda text: float(len(text)),
    "messages a turn": lambda text: float(len(text.split("\n"))),
    "characters a message": lambda text: statistics.fmean(map(len, text.split("\n"))),
    "capitals, share of letters": _capitals,
    "marks, share of characters": lambda text: _share(len(re.findall(r"[^\w\s]", text)), len(text)),
    "emoji": lambda text: float(len(_EMOJI.findall(text))),
    "questions": lambda text: float(text.count("?")),
    "letters of other scripts than Latin": _non_latin,
    "said again within a reply": _loops,
}
"""What is measured of each reply, as a number."""

CHOICES: dict[str, Callable[[str], list[str]]] = {
    "first words": lambda text: [words[0] for line in text.split("\n") if (words := _words(line))],
    "last words": lambda text: [words[-1] for line in text.split("\n") if (words := _words(line))],
    "punctuation": lambda text: [mark for mark in _MARK.findall(text) if not _EMOJI.match(mark)],
    "emoji used": _EMOJI.findall,
}
"""What is counted of each reply, as choices among many."""


class Difference(msgspec.Struct, frozen=True):
    """How far replies are from real ones in one respect.

    Attributes:
        what: a key of `NUMBERS` or `CHOICES`.
        distance: the persona's.
        base: that of the base without an adapter; None where it was not asked.
        floor: that of two halves of the real replies.
        real: the mean of the real replies, for numbers.
        made: the mean of the persona's.
    """

    what: str
    distance: float
    floor: float
    base: float | None = None
    real: float | None = None
    made: float | None = None


def differences(
    real: Sequence[str], made: Sequence[str], base: Sequence[str] | None = None, seed: int = 0
) -> list[Difference]:
    """Return the differences between a person's real replies and those of the persona and the base, empty ones aside.

    Raises:
        UserError: scipy is not installed, or there are fewer than four replies of a side.
    """
    real, made = _said(real), _said(made)
    base = _said(base) if base is not None else None
    if min(len(real), len(made)) < 4:
        raise UserError(
            "style needs four replies of each side at least.", "Hold out more: greenroom dataset --eval-share"
        )
    found = []
    for what, number in NUMBERS.items():
        sides = [list(map(number, side)) for side in (real, made)]
        unit = statistics.pstdev(sides[0]) or statistics.pstdev(sides[0] + sides[1]) or 1.0
        compare = _energy(unit)
        other = None if base is None else _between(sides[0], list(map(number, base)), compare, seed)
        found.append(
            Difference(
                what,
                _between(sides[0], sides[1], compare, seed),
                _floor(sides[0], compare, seed),
                other,
                statistics.fmean(sides[0]),
                statistics.fmean(sides[1]),
            )
        )
    for what, choices in CHOICES.items():
        chosen = [list(map(choices, side)) for side in (real, made)]
        other = None if base is None else _between(chosen[0], list(map(choices, base)), shannon, seed)
        found.append(
            Difference(what, _between(chosen[0], chosen[1], shannon, seed), _floor(chosen[0], shannon, seed), other)
        )
    return found


def shannon(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> float:
    """Return the Jensen-Shannon distance of the choices in two sides: 0 where they are alike, 1 where none is shared.

    A side without any choice is at 1 from one that has some, and at 0 from another without.
    """
    from scipy.spatial.distance import jensenshannon

    counts = [Counter(choice for choices in side for choice in choices) for side in (one, other)]
    if not counts[0] or not counts[1]:
        return float(bool(counts[0]) != bool(counts[1]))
    every = sorted(counts[0] | counts[1])
    return float(jensenshannon([counts[0][key] for key in every], [counts[1][key] for key in every], base=2))


def _energy(unit: float) -> Compare[float]:
    from scipy.stats import energy_distance

    return lambda one, other: float(energy_distance([x / unit for x in one], [x / unit for x in other]))


def _between(real: Sequence[T], made: Sequence[T], compare: Compare[T], seed: int) -> float:
    """The mean distance of random halves of the real replies from as many of the others."""
    draws = random.Random(seed)
    size = min(len(real) // 2, len(made))
    return statistics.fmean(compare(draws.sample(real, size), draws.sample(made, size)) for _ in range(SPLITS))


def _floor(real: Sequence[T], compare: Compare[T], seed: int) -> float:
    """The mean distance of the two halves of the real replies, split at random."""
    draws = random.Random(seed)
    size = len(real) // 2
    found = []
    for _ in range(SPLITS):
        mixed = draws.sample(real, 2 * size)
        found.append(compare(mixed[:size], mixed[size:]))
    return statistics.fmean(found)


def _said(replies: Sequence[str]) -> list[str]:
    return [text.strip() for text in replies if text.strip()]
