"""What is found in a message: spans of it, each of a kind, none over another."""

import re
import unicodedata
from collections.abc import Callable, Iterator

import msgspec

KINDS = (
    "phone",
    "email",
    "card",
    "iban",
    "address",
    "location",
    "link",
    "ip",
    "id",
    "wallet",
    "plate",
    "secret",
    "username",
    "name",
)
ALL_KINDS = frozenset(KINDS)
"""Every kind there is; `location` is a pair of coordinates, `id` a number of a passport, a tax or a social office."""


class Span(msgspec.Struct, frozen=True):
    """A part of a text: `text[start:end]` is `value`."""

    start: int
    end: int
    kind: str
    value: str


_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f\u20e3")
_SPAN, _LINK = 1, 2
_COMPACT = re.compile(r"[\W_]+")


def compact(value: str) -> str:
    """Return a value as it is compared: its letters and digits alone, without case, digits as 0 to 9.

    "DE89 3704 0044" and "de8937040044" are one value.
    """
    folded = _COMPACT.sub("", value.casefold())
    return folded if folded.isascii() else "".join(map(_plain_digit, folded))


def _plain_digit(char: str) -> str:
    number = unicodedata.digit(char, None) if char.isdigit() else None
    return char if number is None else str(number)


class Found:
    """The spans found so far in one text. What is found first keeps its place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._spans: list[Span] = []
        self._taken = bytearray(len(text))

    def add(self, start: int, end: int, kind: str) -> bool:
        """Take `text[start:end]`, widened to whole characters as they are seen; False where part of it is taken."""
        text = self.text
        # A letter with its accents, and an emoji with what it is joined to, are one thing.
        while end < len(text) and (text[end] in _JOINERS or unicodedata.combining(text[end])):
            end += 1
        while 0 < start < end and (text[start] in _JOINERS or unicodedata.combining(text[start])):
            start -= 1
        if start >= end or self.taken(start, end, kind):
            return False
        self._taken[start:end] = bytes([_SPAN]) * (end - start)
        self._spans.append(Span(start, end, kind, text[start:end]))
        return True

    def add_all(
        self,
        pattern: re.Pattern[str],
        kind: str,
        group: str | int = 0,
        is_one: Callable[[re.Match[str]], bool] = lambda match: True,
    ) -> None:
        """Take a group of every match of a pattern that `is_one` accepts."""
        for match in pattern.finditer(self.text):
            if is_one(match):
                self.add(*match.span(group), kind)

    def widen(self, kind: str, wider: Callable[[str, int, int], tuple[int, int]]) -> None:
        """Give the spans of a kind the place that `wider` makes of theirs; those that meet become one.

        A span stays as it was where something of another kind is in the way.
        """
        kept = [span for span in self._spans if span.kind != kind]
        widened: list[Span] = []
        for span in sorted((span for span in self._spans if span.kind == kind), key=lambda span: span.start):
            start, end = wider(self.text, span.start, span.end)
            if any(other.start < end and start < other.end for other in kept):
                start, end = span.start, span.end
            while widened and widened[-1].end > start:
                last = widened.pop()
                start, end = min(start, last.start), max(end, last.end)
            widened.append(Span(start, end, kind, self.text[start:end]))
            self._taken[start:end] = bytes([_SPAN]) * (end - start)
        self._spans = kept + widened

    def link(self, start: int, end: int) -> None:
        """Let nothing but names be found in what is left of `text[start:end]`."""
        taken = self._taken
        for index in range(start, end):
            taken[index] = taken[index] or _LINK

    def taken(self, start: int, end: int, kind: str = "") -> bool:
        """Return whether any of `text[start:end]` belongs to a span already, or to a link where `kind` cannot be."""
        if kind in ("name", "username"):
            return self._taken.find(_SPAN, start, end) >= 0
        return self._taken.count(0, start, end) != end - start

    def has_secret(self, start: int, end: int) -> bool:
        """Return whether a secret was found in `text[start:end]`."""
        return any(span.kind == "secret" and span.start < end and start < span.end for span in self._spans)

    def __iter__(self) -> Iterator[Span]:
        return iter(sorted(self._spans, key=lambda span: span.start))
