"""Splits a message into what phrases are made of: words of any language, emoji, smileys and runs of marks.

Letters are folded, but a word in capitals stays one of its own: shouting is a habit. Stretched words and runs are cut
to three ("sooooo" and "soooooo" are one), and what is no habit (numbers, commas, addresses) is a break that no phrase
goes across. Han is split by character and kana where the script changes; scripts without spaces, as Thai's, are taken
from space to space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

BREAK = ""
MOST_LETTERS = 30
"""What is longer is no word."""

_ONE_EMOJI = r"[\U0001F000-\U0001FAFF☀-➿⬀-⯿⌀-⏿][\ufe0f\u200d\U0001F3FB-\U0001F3FF]*"
_EMOJI = re.compile(_ONE_EMOJI)
_OTHERS = (
    r"\[[a-z][a-z ]{1,20}(?: [^\]\[\s]{1,12})?\]",  # [photo], [sticker 😭], what is redacted
    r"(?<!\d)(?<!:)(?:[:;=][-'^]?(?:[DPpOo3](?![^\W_])|[()/|\\*]+)|<3(?!\d)|\^_*\^|-_+-)",  # smileys
    rf"(?:{_ONE_EMOJI})+",
    r"\.{2,}|…+|[!?]+|\)+|\(+|;|~+|[-–—]{2,}",
    r"[^\w\s]|\n",
)
_RUN_MARKS = frozenset("!?)(;~…")
_BRACKETS = re.compile(r"(?<![:;=\-'^(])\(([^():;=\n]+)\)")
_ADDRESS = re.compile(r"https?://\S+")
# A letter that is stretched, two that are laughed, or a run: "nooooo", "хахахаха", "))))))".
_STRETCHED = re.compile(r"([^\d\s])\1{3,}|([^\d\s]{2})\2{3,}")
_KANA_OR_HAN = re.compile(r"[぀-ヿ㐀-鿿豈-﫿\U00020000-\U0003ffff]")
_PIECES = re.compile(r"[ぁ-ゟー]+|[゠-ヿ]+|[㐀-鿿豈-﫿\U00020000-\U0003ffff]|[^ぁ-ヿ㐀-鿿豈-﫿\U00020000-\U0003ffff]+")

Token = tuple[str, str]
NO_TOKEN: Token = (BREAK, BREAK)


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a message, each folded and as it is written; a break is ("", "")."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "(" in text:
        # A pair of brackets is punctuation, a single one a smile or its contrary.
        text = _BRACKETS.sub(r",\1,", text)
    if "://" in text:
        text = _ADDRESS.sub(",", text)
    return [token for piece in _pattern().findall(text) for token in _tokens(piece)]


@lru_cache(1 << 16)
def _tokens(piece: str) -> tuple[Token, ...]:
    if not piece[0].isalnum():
        habit = len(piece) > 1 or piece in _RUN_MARKS or _EMOJI.match(piece)
        run = _STRETCHED.sub(_thrice, piece)
        return ((run, run) if habit else NO_TOKEN,)
    if _KANA_OR_HAN.search(piece):
        return tuple(_folded(part) for part in _PIECES.findall(piece))
    return (_folded(piece),)


def is_word(token: str) -> bool:
    """Return whether a token is a word, and not an emoji, a mark or a placeholder."""
    return token[:1].isalnum()


def joined(words: Iterable[str]) -> str:
    """Return words as a phrase; between Han and kana stands no space."""
    text = ""
    for word in words:
        close = text and _KANA_OR_HAN.match(text[-1]) and _KANA_OR_HAN.match(word)
        text += word if close or not text else f" {word}"
    return text


def _folded(word: str) -> Token:
    word = _STRETCHED.sub(_thrice, word.replace("’", "'"))
    if len(word) > MOST_LETTERS or word[0].isdigit():
        return NO_TOKEN
    return (word if len(word) > 1 and word.isupper() else word.casefold()), word


def _thrice(found: re.Match[str]) -> str:
    return str(found[1] or found[2]) * 3


@cache
def _pattern() -> re.Pattern[str]:
    # Python's \w has no combining marks, that Hindi, Thai and many others cannot be written without.
    marks = "".join(map(chr, filter(_is_mark, range(0x300, 0x10000))))
    word = rf"[^\W_][\w{marks}]*(?:['’ʼ-][\w{marks}]+)*"
    return re.compile("|".join((word, *_OTHERS)))


def _is_mark(code: int) -> bool:
    return unicodedata.category(chr(code)) in ("Mn", "Mc")
