"""Words as texts are compared by them: no case, no accents, no punctuation.

The audit, the index of a training set and the guard at serving count with these, so that a word is the same to all.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

# Letters and digits; Han and kana by the character, since no spaces part them.
_SINGLE = r"[぀-ヿ㐀-鿿豈-﫿\U00020000-\U0003ffff]"
_LETTER = rf"(?!{_SINGLE})[^\W_]"
_WORD = re.compile(rf"{_SINGLE}|(?:{_LETTER})+")
SINGLE = re.compile(_SINGLE)
"""A character that is a word by itself."""
LETTER = re.compile(_LETTER)
"""A character that is part of a word."""


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are compared."""
    return _WORD.findall(_folded(text))


@lru_cache(maxsize=1 << 14)
def folded(character: str) -> str:
    """Return what a character is in the words of a text: one or several, or nothing (an accent alone).

    A text is folded character by character, so that a stream gives the words that the whole would.
    """
    return _folded(character)


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_marks())
    return text.casefold()


@cache
def _marks() -> dict[int, None]:
    return dict.fromkeys(code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M")
