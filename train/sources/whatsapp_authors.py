"""Who wrote a line of a WhatsApp text export: a name before a colon, where it is not one of the app's sentences."""

import re
from collections import Counter
from functools import lru_cache

from train.sources.whatsapp_headers import unmarked
from train.sources.whatsapp_words import is_sentence

_AUTHOR = re.compile(r"([^\n]+?):(?: |$|(?=\.$)|(?=\u200e))")
_SPACES = re.compile(r"\s+")
_QUOTES = frozenset('"“”„«»「」『』')
_LONGEST_SECOND = 40
_OFTEN = 5
_SENTENCE = 200


class Authors:
    """Collects what stands before the colon in a file, to tell names from the app's own sentences."""

    def __init__(self) -> None:
        """Begin without any."""
        self._counts = Counter[str]()
        self._seconds: dict[str, str | None] = {}
        self._once: dict[str, str] = {}
        """What stood before a colon once so far, with what followed."""
        self._often: dict[str, int] = {}
        """How often what nothing more is to be learnt of stood before a colon again."""

    def add_known(self, printed: str, count: int = 1) -> bool:
        """Take in more messages of a printed name, if nothing but the name counts any more; else return False."""
        often = self._often.get(printed)
        if often is None:
            return False
        self._often[printed] = often + count
        return True

    def add(self, rest: str) -> None:
        """Take in what follows the time of one message."""
        found = _AUTHOR.match(rest)
        if found is None:
            return
        printed = found[1]
        self._counts[printed] += 1
        if self._counts[printed] == 1:
            self._once[printed] = rest[:_SENTENCE]
        else:
            self._once.pop(printed, None)
        if self._seconds.get(printed, "") is None:
            if self._counts[printed] > 1:
                self._often[printed] = 0
            return
        second = _AUTHOR.match(rest, found.end())
        whole = rest[: second.end(1)] if second and second.end(1) - second.start(1) < _LONGEST_SECOND else None
        if self._seconds.setdefault(printed, whole) != whole:
            self._seconds[printed] = None

    def decide(self) -> None:
        """Decide who are authors, once everything was taken in."""
        self._counts.update(self._often)
        self._often.clear()
        by_name = Counter[str]()
        for printed, count in self._counts.items():
            by_name[clean_author(printed)] += count
        self._names: dict[str, str | None] = {}
        self._longer: dict[str, str] = {}
        for printed, count in self._counts.items():
            name = clean_author(printed)
            sentence = _is_sentence(name, by_name) or is_sentence(self._once.get(printed, ""))
            self._names[printed] = name if name and not sentence else None
            whole = self._seconds.get(printed)
            # A first part is part of a longer name when the same second part follows it in every message.
            if whole is not None and count >= _OFTEN:
                self._longer[printed] = whole
        # The usual case: nothing but a name, which no other ends.
        self._plain = {
            printed: name for printed, name in self._names.items() if name is not None and printed not in self._longer
        }

    @property
    def names(self) -> set[str]:
        """The names of everybody who wrote, a colon in them excepted."""
        return {name for name in self._names.values() if name is not None}

    def plain_name(self, printed: str) -> str | None:
        """Return the name that stands before a colon, where that is all there is to it."""
        return self._plain.get(printed)

    def split(self, rest: str) -> tuple[str | None, str]:
        """Return the author and the text in what follows the time; no author where the app wrote it."""
        before, colon, text = rest.partition(": ")
        if colon and before in self._plain:
            return self._plain[before], text
        found = _AUTHOR.match(rest)
        if found is None:
            return None, rest
        name = self._names[found[1]]
        if name is None:
            return None, rest
        if (whole := self._longer.get(found[1])) is not None and rest.startswith(whole):
            return clean_author(whole), rest[len(whole) + 1 :].removeprefix(" ")
        return name, rest[found.end() :]


def _is_sentence(name: str, counts: Counter[str]) -> bool:
    """Return whether what stands before a colon is the app's: `Ann changed the subject from "A: b"`."""
    if counts[name] > 1:
        return False
    words = name.split()
    if len(words) >= 5 or not _QUOTES.isdisjoint(name):
        return True
    return any(counts[" ".join(words[:end])] > 1 for end in range(1, len(words)))


@lru_cache(maxsize=4096)
def clean_author(name: str) -> str:
    """Return a name as people know it: no direction marks, no tilde of a name that is not in the phone."""
    return _SPACES.sub(" ", unmarked(name)).strip().removeprefix("~").strip()
