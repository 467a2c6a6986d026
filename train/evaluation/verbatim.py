"""How much of one side's texts stands in the other's, word for word: the longest runs they share, and their n-grams.

Windows of both sides are compared by a polynomial hash modulo 2^64, whose sums over all beginnings (Karp and Rabin,
1987) give the hash of any window in one subtraction, for millions of windows at once. The longest run of each sample
is found by halving, over places of the training text that share a short run with any sample at all: few are left after
one pass over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from persona.words import words_of

Unit = Literal["words", "characters"]
Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]

SHORTEST: dict[Unit, int] = {"words": 4, "characters": 16}
"""Shorter runs are everybody's, and count as none."""

_AT_ONCE = 1 << 21
_FILTER_BITS = 20
_FILTER_SHIFT = np.uint64(64 - _FILTER_BITS)
# Odd, so that it has an inverse modulo 2^64; otherwise drawn at random, as the constants of splitmix64 below are given.
_FACTOR = 0x9E6C_63D0_876A_46AD


class Run(msgspec.Struct, frozen=True):
    """The longest run that a sample shares with the training text.

    Attributes:
        length: in words or characters; 0 where it is shorter than `SHORTEST`.
        start: where it begins in the sample, in the same unit.
        text: the number of the training text it stands in, -1 for none.
    """

    length: int
    start: int = 0
    text: int = -1


class Texts:
    """Texts of one side, ready to be compared: their symbols in a row, and the hash of any window of them."""

    def __init__(self, texts: Iterable[str], unit: Unit, *, samples: bool = False) -> None:
        """Read `texts`. The two sides of a comparison differ in `samples`, so that no run goes beyond a text's end."""
        self.unit = unit
        symbols = np.concatenate([*_rows(texts, unit, end=2 + samples), np.zeros(0, np.uint64)])
        # Ends of texts are the two numbers that no symbol is.
        ends = np.flatnonzero(symbols == 2 + samples)
        self.starts: Places = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])[: len(ends)]
        self.ends: Places = ends
        self.size = len(symbols)
        with np.errstate(over="ignore"):
            terms = _mixed(symbols)
            terms *= _powers(_FACTOR, self.size)
            self._sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
            self._back = _powers(pow(_FACTOR, -1, 1 << 64), self.size)

    def hashes(self, places: Places, length: int) -> Numbers:
        """Return the hashes of the windows of so many symbols that begin at `places`."""
        with np.errstate(over="ignore"):
            return _mixed((self._sums[places + length] - self._sums[places]) * self._back[places])

    def windows(self, length: int) -> Places:
        """Return where windows of so many symbols begin that lie within one text."""
        sizes = np.maximum(self.ends - self.starts - length + 1, 0)
        firsts = np.repeat(self.starts - np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)[:-1]]), sizes)
        return firsts + np.arange(sizes.sum(), dtype=np.int64)

    def text_at(self, places: Places) -> Places:
        """Return the number of the text that each place is in."""
        return np.searchsorted(self.ends, places)


def ngram_share(train: Texts, samples: Texts, length: int) -> tuple[int, int]:
    """Return how many n-grams of the samples stand in the training texts too, and how many there are in all."""
    windows = samples.windows(length)
    if not len(windows):
        return 0, 0
    hashes = samples.hashes(windows, length)
    _, found = _places_of(train, hashes, length)
    return int(np.isin(hashes, found).sum()), len(windows)


def longest_runs(train: Texts, samples: Texts) -> list[Run]:
    """Return for each sample the longest run that it shares with one of the training texts."""
    shortest = SHORTEST[train.unit]
    places = samples.windows(shortest)
    if not len(places):
        return [Run(0)] * len(samples.ends)
    hashes = samples.hashes(places, shortest)
    there, found = _places_of(train, hashes, shortest)
    places = places[np.isin(hashes, found)]
    of = samples.text_at(places)
    best = np.zeros(len(samples.ends), np.int64)
    best[of] = shortest
    longest = int((samples.ends - samples.starts).max())
    for step in (1 << level for level in reversed(range(longest.bit_length()))):
        # Only the places whose run is the longest of their sample so far are left, so a sample has one length.
        kept = np.ones(len(places), bool)
        for length in np.unique(best[of]):
            group = np.flatnonzero(best[of] == length)
            wanted = int(length) + step
            fits = group[places[group] + wanted <= samples.size]
            inside = there[there + wanted <= train.size]
            if not len(fits) or not len(inside):
                continue
            hashes = samples.hashes(places[fits], wanted)
            longer = np.isin(hashes, _Wanted(hashes).within(train.hashes(inside, wanted)))
            if not longer.any():
                continue
            grown = np.unique(of[fits[longer]])
            kept[group[np.isin(of[group], grown)]] = False
            kept[fits[longer]] = True
            # Beyond every length of this round: these samples are not looked at again in it.
            best[grown] = -wanted
        places, of = places[kept], of[kept]
        best = np.abs(best)
    return _runs(train, samples, there, places, of, best)


def _runs(train: Texts, samples: Texts, there: Places, places: Places, of: Places, best: Places) -> list[Run]:
    runs = [Run(0)] * len(best)
    firsts = {int(sample): int(place) for sample, place in zip(of[::-1], places[::-1], strict=True)}
    by_length: dict[int, list[int]] = {}
    for sample in firsts:
        by_length.setdefault(int(best[sample]), []).append(sample)
    for length, alike in by_length.items():
        inside = there[there + length <= train.size]
        own = samples.hashes(np.array([firsts[sample] for sample in alike]), length)
        hashes = train.hashes(inside, length)
        wanted = _Wanted(own).where(hashes)
        inside, hashes = inside[wanted], hashes[wanted]
        order = np.argsort(hashes, kind="stable")
        texts = train.text_at(inside[order[np.searchsorted(hashes, own, sorter=order)]])
        for sample, text in zip(alike, texts, strict=True):
            runs[sample] = Run(length, firsts[sample] - int(samples.starts[sample]), int(text))
    return runs


class _Wanted:
    """Hashes to be looked for among millions: a bit for each keeps nearly all of those from being looked up."""

    def __init__(self, hashes: Numbers) -> None:
        self._hashes = np.unique(hashes)
        self._marked = np.zeros(1 << _FILTER_BITS, bool)
        self._marked[self._hashes >> _FILTER_SHIFT] = True

    def where(self, values: Numbers) -> Places:
        """Return the indices of the values that are wanted."""
        some = np.flatnonzero(self._marked[values >> _FILTER_SHIFT])
        return some[np.isin(values[some], self._hashes)]

    def within(self, values: Numbers) -> Numbers:
        """Return the values that are wanted."""
        return values[self.where(values)]


def _places_of(train: Texts, hashes: Numbers, length: int) -> tuple[Places, Numbers]:
    """Return where windows of the training texts begin that have one of `hashes`, and which hash each has."""
    wanted = _Wanted(hashes)
    places: list[Places] = [np.zeros(0, np.int64)]
    found: list[Numbers] = [np.zeros(0, np.uint64)]
    for start in range(0, train.size - length + 1, _AT_ONCE):
        here = np.arange(start, min(start + _AT_ONCE, train.size - length + 1), dtype=np.int64)
        values = train.hashes(here, length)
        some = wanted.where(values)
        places.append(here[some])
        found.append(values[some])
    return np.concatenate(places), np.concatenate(found)


def _rows(texts: Iterable[str], unit: Unit, end: int) -> list[Numbers]:
    rows: list[Numbers] = []
    words: list[Any] = []
    for text in texts:
        if unit == "words":
            # `hash` differs from process to process, but is the same for both sides of a comparison.
            words += map(hash, words_of(text))
            words.append(end)
            if len(words) > _AT_ONCE:
                rows.append(_numbers(words))
                words = []
        else:
            flat = " ".join(text.split())
            letters = np.frombuffer((flat + chr(0)).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
            letters += np.uint64(16)
            letters[-1] = end
            rows.append(letters)
    return [*rows, _numbers(words)] if words else rows


def _numbers(words: Sequence[int]) -> Numbers:
    # Hashes of words are 62 bits and a sign; far from the small numbers that end texts.
    return np.array(words, np.int64).view(np.uint64)


def _mixed(values: Numbers) -> Numbers:
    """Return each number as splitmix64 scatters it (Steele, Lea and Flood, 2014), one to one."""
    values = values + np.uint64(0x9E37_79B9_7F4A_7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ (values >> np.uint64(31))


def _powers(factor: int, count: int) -> Numbers:
    powers = np.full(count, factor, np.uint64)
    if count:
        powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)
