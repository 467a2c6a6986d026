"""The phrases somebody is known by: what they say most, and what tells them from everybody else.

A phrase is one to four words in a row, or one emoji, smiley or run of marks (")))", "...", "!!"). It is counted once
for each message it is in. A phrase that is mostly said as part of a longer one gives way to that. What is typical is
said often and not by everybody alike; what is distinctive has the highest z-score of its log-odds against all others
in the set, with an informative Dirichlet prior (Monroe, Colaresi and Quinn, "Fightin' Words", 2008, equations 16 to
22). There is no list of stop words, so any language does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress, islice, repeat
from operator import itemgetter

import msgspec

from train.dataset.words import BREAK, NO_TOKEN, Token, is_word, joined, tokens_of

MOST_WORDS = 4
MIN_TIMES = 3
"""Messages of one persona that a phrase must be in."""
MIN_Z = 1.96
"""Less is chance one time in twenty."""
PRIOR_WORDS = 500.0
"""The weight of the prior: so many words of what the whole set says are added to each side."""
MOST_CHARS = 6_000_000
"""Text that is looked at in all; beyond it every second message, or fewer."""
MOST_MESSAGE_CHARS = 1000
"""What comes later in a message is not looked at."""

_MOSTLY = 2 / 3
"""The share of a phrase's messages in which it is part of a longer one, from which on the longer one is shown."""
# A word that most people say, and this one not much more often than the others, says nothing about anybody.
_EVERYDAY_RATE = 0.0003
_MOST_PEOPLE = 0.5
_MORE_OFTEN = 2.5
# Nor does one of somebody's commonest short words that is never a message of its own: "the", "не", "ich".
_COMMON_RATE = 0.004
_COMMON_LETTERS = 5
_ALONE = 0.01
_ENOUGH_WORDS = 500
"""With fewer, rates say little."""

Gram = tuple[str, ...]

_second = itemgetter(1)


class Phrase(msgspec.Struct, frozen=True):
    """A phrase as its speaker mostly writes it, and how many of their messages it is in."""

    text: str
    messages: int


class Phrases(msgspec.Struct, frozen=True):
    """What a persona says most and what gives them away, the strongest first."""

    typical: list[Phrase]
    distinctive: list[Phrase]


def phrases_of(personas: Mapping[str, Sequence[str]], others: Sequence[str], most: int = 12) -> dict[str, Phrases]:
    """Return the phrases of each persona, `most` of a kind, from its messages and those of everybody else.

    The same messages give the same phrases. Time and memory grow with the text, up to `MOST_CHARS` of it.
    """
    grams = _Grams()
    room = MOST_CHARS // (len(personas) + 1)
    voices = {name: _Voice(_sampled(texts, room), grams) for name, texts in personas.items()}
    everybody = _Everybody([*voices.values(), _Voice(_sampled(others, room), grams)], grams)
    _count_longer(list(voices.values()), everybody.voices, grams)
    everybody.add_up()
    return {
        name: Phrases(everybody.typical(voice, most), everybody.distinctive(voice, most))
        for name, voice in voices.items()
    }


def z_score(count: int, words: int, other_count: int, other_words: int, prior: float, prior_words: float) -> float:
    """Return how sure it is that one side says a phrase more often than the other, in standard deviations.

    `count` of `words` is the one side, `other_count` of `other_words` the other; `prior` of `prior_words` is what both
    are taken to have said beforehand.
    """
    ours, theirs = count + prior, other_count + prior
    odds = math.log(ours / (words + prior_words - ours)) - math.log(theirs / (other_words + prior_words - theirs))
    return odds / math.sqrt(1 / ours + 1 / theirs)


def _sampled(texts: Sequence[str], room: int) -> list[str]:
    """Return the beginnings of all messages, or of as many, evenly spaced, as have about `room` characters."""
    length = sum(min(len(text), MOST_MESSAGE_CHARS) for text in texts)
    step = max(-(-length // max(room, 1)), 1)
    return [text[:MOST_MESSAGE_CHARS] for text in texts[::step]]


class _Grams:
    """Every phrase that is counted, by number; 0 is none."""

    def __init__(self) -> None:
        self.words: list[Gram] = [()]
        self._numbers: dict[str, int] = {BREAK: 0}

    def number(self, token: str) -> int:
        known = self._numbers.get(token)
        return self.add((token,)) if known is None else known

    def add(self, words: Gram) -> int:
        number = len(self.words)
        self.words.append(words)
        if len(words) == 1:
            self._numbers[words[0]] = number
        return number


class _Voice:
    """One side's messages, as a row of numbers: at each place the phrase, of the length in hand, that begins there."""

    def __init__(self, texts: Sequence[str], grams: _Grams) -> None:
        self.alone = Counter[int]()
        """How often a token is a whole message."""
        self._owners: list[int] = []
        """The message that each place is in."""
        tokens: list[Token] = []
        for owner, text in enumerate(texts):
            of_message = tokens_of(text)
            if len(of_message) == 1:
                self.alone[grams.number(of_message[0][0])] += 1
            tokens += of_message
            # Between two messages stands a break.
            tokens.append(NO_TOKEN)
            self._owners += [owner] * (len(of_message) + 1)
        written = Counter(tokens)
        numbers = {token: grams.number(token[0]) for token in written}
        self.row = [numbers[token] for token in tokens]
        self._forms: dict[str, tuple[int, str]] = {}
        for (token, form), times in written.items():
            best = self._forms.get(token, (0, ""))
            if (-times, form) < (-best[0], best[1]):
                self._forms[token] = times, form
        self.counts = self.counted()
        """The messages that each phrase is in, by its number."""
        self.words = self.counts.total()

    def counted(self) -> Counter[int]:
        """Return the messages that each phrase of the row is in."""
        # Each once in a message. All of it in C: these rows are long.
        return Counter(map(_second, set(compress(zip(self._owners, self.row, strict=True), self.row))))

    def rate(self, gram: int) -> float:
        """Return how often this side says a phrase, in a word of theirs."""
        return self.counts[gram] / self.words if self.words else 0.0

    def phrase(self, gram: int, grams: _Grams) -> Phrase:
        """Return a phrase as this side mostly writes its words."""
        return Phrase(joined(self._forms[word][1] for word in grams.words[gram]), self.counts[gram])


def _count_longer(personas: list[_Voice], voices: list[_Voice], grams: _Grams) -> None:
    """Count phrases of two words and more, in every voice, that one of the personas says often enough.

    A phrase can only be frequent when both phrases of one word less in it are, so few need to be looked at.
    """
    frequent = {gram for voice in personas for gram, times in voice.counts.items() if times >= MIN_TIMES}
    for voice in voices:
        for gram in [gram for gram in voice.counts if gram not in frequent]:
            del voice.counts[gram]
    words = {gram for gram in frequent if is_word(grams.words[gram][0])}
    for voice in voices:
        voice.row = [gram if gram in words else 0 for gram in voice.row]
    for _ in range(MOST_WORDS - 1):
        longer: dict[tuple[int, int], int] = {}
        for voice in personas:
            for pair, times in Counter(_pairs(voice.row)).items():
                if times >= MIN_TIMES and pair[0] and pair[1] and pair not in longer:
                    longer[pair] = grams.add((*grams.words[pair[0]], grams.words[pair[1]][-1]))
        for voice in voices:
            voice.row = [*map(longer.get, _pairs(voice.row), repeat(0)), 0][: len(voice.row)]
            voice.counts.update(voice.counted())


def _pairs(row: list[int]) -> zip[tuple[int, int]]:
    return zip(row, islice(row, 1, None), strict=False)


class _Everybody:
    """All voices of a set, to compare each with the others."""

    def __init__(self, voices: list[_Voice], grams: _Grams) -> None:
        self.voices = voices
        self._grams = grams
        self._words = sum(voice.words for voice in voices)
        self._counts = Counter[int]()
        self._people = Counter[int]()
        """How many voices say a word every day."""
        self._heard = [voice for voice in voices if voice.words >= _ENOUGH_WORDS]

    def add_up(self) -> None:
        """Take what has been counted."""
        for voice in self.voices:
            self._counts.update(voice.counts)
        for voice in self._heard:
            self._people.update(gram for gram in voice.counts if voice.rate(gram) >= _EVERYDAY_RATE)

    def typical(self, voice: _Voice, most: int) -> list[Phrase]:
        """Return what a voice says most, without what is common."""
        common = self._common(voice)
        # Longer phrases are rarer, and say more: the weight of C-value (Frantzi, Ananiadou and Mima, 2000).
        length = {gram: len(self._grams.words[gram]) for gram in voice.counts}
        scores = {gram: times * math.log2(1 + length[gram]) for gram, times in voice.counts.items()}
        found: list[int] = []
        cores: set[Gram] = set()
        for gram in self._ranked(voice, scores):
            core = self._grams.words[gram]
            while core and core[0] in common:
                core = core[1:]
            while core and core[-1] in common:
                core = core[:-1]
            # "the boat" says no more than "boat".
            if core and core not in cores:
                cores.add(core)
                found.append(gram)
                if len(found) == most:
                    break
        return [voice.phrase(gram, self._grams) for gram in found]

    def distinctive(self, voice: _Voice, most: int) -> list[Phrase]:
        """Return what a voice says more often than all others together, the surest first."""
        other_words = self._words - voice.words
        if not other_words:
            return []
        scores: dict[int, float] = {}
        for gram, times in voice.counts.items():
            if times < MIN_TIMES:
                continue
            together = self._counts[gram]
            if together == self._words:
                # Nobody says anything else.
                continue
            prior = PRIOR_WORDS * together / self._words
            score = z_score(times, voice.words, together - times, other_words, prior, PRIOR_WORDS)
            if score >= MIN_Z:
                scores[gram] = score
        found: list[int] = []
        for gram in self._ranked(voice, scores):
            words = self._grams.words[gram]
            if not any(_within(words, self._grams.words[one]) for one in found):
                found.append(gram)
                if len(found) == most:
                    break
        return [voice.phrase(gram, self._grams) for gram in found]

    def _ranked(self, voice: _Voice, scores: dict[int, float]) -> list[int]:
        """Return phrases by score, without those that are mostly said in a longer one."""
        numbers = {self._grams.words[gram]: gram for gram in scores}
        absorbed: set[int] = set()
        for words, gram in numbers.items():
            if len(words) > 1:
                shorter = (numbers.get(words[1:]), numbers.get(words[:-1]))
                absorbed |= {
                    one for one in shorter if one is not None and voice.counts[gram] >= _MOSTLY * voice.counts[one]
                }
        kept = [gram for gram in scores if gram not in absorbed and voice.counts[gram] >= MIN_TIMES]
        return sorted(kept, key=lambda gram: (-scores[gram], self._grams.words[gram]))

    def _common(self, voice: _Voice) -> set[str]:
        """Return the words that say nothing about this voice."""
        if voice.words < _ENOUGH_WORDS:
            return set()
        common: set[str] = set()
        other_words = self._words - voice.words
        for gram, times in voice.counts.items():
            words = self._grams.words[gram]
            if len(words) > 1:
                continue
            others = (self._counts[gram] - times) / other_words if other_words else 0.0
            everybodys = self._people[gram] >= max(_MOST_PEOPLE * len(self._heard), 2)
            filler = is_word(words[0]) and len(words[0]) <= _COMMON_LETTERS and voice.alone[gram] < _ALONE * times
            rate = voice.rate(gram)
            if (everybodys and rate < _MORE_OFTEN * others) or (filler and rate >= _COMMON_RATE):
                common.add(words[0])
        return common


def _within(one: Gram, other: Gram) -> bool:
    """Return whether one of two phrases is a part of the other."""
    short, long = sorted((one, other), key=len)
    return any(long[start : start + len(short)] == short for start in range(len(long) - len(short) + 1))
