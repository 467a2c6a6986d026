"""What is counted while a set is written: everything that its card and its report say.

Texts are counted as they stand in the set, redacted, so that a report holds nothing that the set does not.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from train.conversations import Utterance

EXAMPLES = 10
SAMPLE = 8_000
SAMPLE_IN_ALL = 60_000
"""Messages of each persona, and of everybody else together, that phrases are looked for in; and of all personas."""


class Example(msgspec.Struct, frozen=True):
    """One line of the training set, to be looked at."""

    platform: str
    start_ms: int
    offset_min: int | None
    turns: list[Utterance]


class PersonaTally(msgspec.Struct):
    """What a set holds of one persona."""

    speaker: str
    trained: int = 0
    """Messages in trained turns of the training set."""
    evaluated: int = 0
    turns: int = 0
    tokens: int = 0
    """Tokens that the loss falls on in the training set, closing marks included."""
    platforms: Counter[str] = msgspec.field(default_factory=Counter)
    """Their trained turns in the training set, by platform."""
    texts: list[str] = msgspec.field(default_factory=list)
    """A sample of their messages in both sets."""

    @property
    def platform(self) -> str:
        """Where most of these turns were, the first by name of two with as many; empty where there are none."""
        return min(self.platforms, key=lambda name: (-self.platforms[name], name), default="")


class Tally:
    """The counts of one set."""

    def __init__(self, speakers: list[str], seed: int) -> None:
        """Begin to count a set in which `speakers` are trained."""
        self.personas = {speaker: PersonaTally(speaker) for speaker in speakers}
        self.others: list[str] = []
        """A sample of the messages of everybody else in the set."""
        self.lines = Counter[str]()
        """Lines by part: "train", "eval"."""
        self.tokens = Counter[str]()
        """Tokens of these lines, context included."""
        self.months = Counter[tuple[str, str]]()
        """Messages by month of their session ("2024-05", in UTC) and speaker, over both parts."""
        self.session_messages = Counter[int]()
        """How many sessions hold so many messages."""
        self.line_tokens = Counter[int]()
        """How many lines of the training set have so many tokens."""
        self.dropped = Counter[str]()
        """Messages of the store that are in no line, by reason."""
        self.untrained = Counter[str]()
        """Messages of personas that are in a line as context only, by reason."""
        self.kept = 0
        """Messages of the store that are in a line, trained or as context."""
        self.redacted = Counter[str]()
        """Spans that were replaced, by kind."""
        self.examples: list[Example] = []
        self._most = min(SAMPLE, SAMPLE_IN_ALL // max(1, len(speakers)))
        self._random = random.Random(seed)
        self._seen = Counter[str]()
        self._examples_seen = 0

    def add_turn(self, speaker: str, month: str, messages: list[str]) -> None:
        """Count a turn that is in the set, and keep some of its messages."""
        count = len(messages)
        self.kept += count
        self.months[month, speaker] += count
        persona = self.personas.get(speaker)
        whose, texts = (speaker, persona.texts) if persona is not None else ("", self.others)
        seen = self._seen[whose]
        self._seen[whose] = seen + count
        if seen + count <= self._most:
            texts += messages
            return
        for place, message in enumerate(messages, start=seen):
            if place < self._most:
                texts.append(message)
            elif (drawn := int(self._random.random() * (place + 1))) < self._most:
                texts[drawn] = message

    def add_example(self, example: Example) -> None:
        """Keep some of the lines that are given, each as likely as any other."""
        self._examples_seen += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)
        elif (place := int(self._random.random() * self._examples_seen)) < EXAMPLES:
            self.examples[place] = example


def month_of(time_ms: int) -> str:
    """Return the month of a time, in UTC: "2024-05"; "0000-00" for one that no calendar reaches."""
    return _month_of_day(time_ms // 86_400_000)


@lru_cache(1024)
def _month_of_day(day: int) -> str:
    try:
        return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m}"
    except (ValueError, OverflowError, OSError):
        return "0000-00"
