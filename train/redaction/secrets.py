"""Finds keys and tokens by their own shape, and the words that restore a wallet."""

import re
from collections import Counter
from itertools import pairwise
from math import log2

from train.redaction.spans import Found

_TOKENS = re.compile(
    r"(?<![\w-])(?:"
    r"sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{16,200}|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,120}|"
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{16,64}|"
    r"(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,45}|ya29\.[A-Za-z0-9_-]{20,500}|"
    r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|hf_[A-Za-z0-9]{20,60}|npm_[A-Za-z0-9]{30,60}|pypi-[A-Za-z0-9_-]{20,500}|"
    r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}|"
    r"eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,8000}(?:\.[A-Za-z0-9_-]{0,2000})?|"
    r"\d{8,10}:[A-Za-z0-9_-]{30,40}|LPA:1\$[\w.-]{4,80}\$[\w-]{4,80}|dop_v1_[a-f0-9]{64}|EAA[A-Za-z0-9]{30,300}|"
    r"[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,40}"
    r")(?![\w-])"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_SSH_KEY = re.compile(r"\b(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d{3}) (AAAA[A-Za-z0-9+/=]{20,2000})")
_LONG = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_=-]{24,1024}(?![\w+/=-])")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)

SEED_WORDS = frozenset(
    "metamask метамаск wallet backup words слов слова кошелек кошелёк кошелька seed seedphrase mnemonic recovery "
    " сид сидка сид-фраза "
    "мнемоника мнемоническая фраза phrase".split()
)

_SEED = re.compile(
    r"\b(?:seed(?: ?phrase| ?words)?|recovery (?:phrase|words|seed)|mnemonic(?: phrase)?|secret phrase|"
    r"сид[- ]?фраз[аыу]|сидк[аиу]|"
    r"(?:wallet|metamask|secret|backup)? ?phrase|сид|метамаск|wallet(?: backup)?|backup|(?:12|24) (?:words|слова?)|"
    r"кошел[её]к|мнемоник[аиу]|фраза восстановления|semilla|"
    r"wiederherstellungsphrase)(?!\w)[^\n:]{0,30}?[:=\s–—-]\s{0,3}"
    r"((?:\d{1,2}[.)]?\s?)?[a-z]{3,8}(?:[\s,]{1,3}(?:\d{1,2}[.)]?\s?)?[a-z]{3,8}){11,23})(?![a-z])",
    re.I,
)


def find_tokens(text: str, found: Found) -> None:
    """Find what is a secret by its shape: private keys, API keys, JSON web tokens, long random hex and base64."""
    for begin in _PRIVATE_KEY.finditer(text):
        end = _PRIVATE_KEY_END.search(text, begin.end(), begin.end() + 20_000)
        stop = end.start() if end else min(len(text), begin.end() + 8_000)
        found.add(begin.end(), stop, "secret")
    found.add_all(_SSH_KEY, "secret", 1)
    found.add_all(_TOKENS, "secret")
    found.add_all(_LONG, "secret", is_one=lambda match: is_random(match[0]))


def is_random(value: str) -> bool:
    """Return whether a long run of letters and digits was drawn and not written: hex, or of every sort and even."""
    if _UUID.fullmatch(value):
        return True
    digits = sum(map(str.isdigit, value))
    if digits == len(value) or not digits:
        # Without any digit: random letters of both cases in a run, which words joined by capitals are not.
        changes = sum(a.isupper() != b.isupper() for a, b in pairwise(value) if a.isalpha() and b.isalpha())
        return not digits and len(value) >= 32 and changes > len(value) * 0.35
    if re.fullmatch(r"[0-9a-f]{32,}", value, re.I):
        return True
    words = [one for one in re.split(r"[-_/+=]", value) if one]
    if len(words) > 2 and max(map(len, words)) < 12:
        return False
    entropy = -sum(n / len(value) * log2(n / len(value)) for n in Counter(value).values())
    upper = any(map(str.isupper, value))
    lower = any(map(str.islower, value))
    return entropy > 3.7 and digits >= 2 and ((upper and lower) or digits >= len(value) // 5)


_RUN = re.compile(r"(?<![\w@./#-])[^\s\"'`<>(){}\[\]«»,;/\\]{8,64}(?![\w@/])")
_WORD_LIKE = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}")
_SHORT_HEX = re.compile(r"[0-9a-f]{16,31}")


def find_drawn(found: Found) -> None:
    """Find short passwords and keys that were drawn and not thought of: of every sort, with hardly a word in them."""
    found.add_all(_RUN, "secret", is_one=lambda match: is_drawn(match[0].rstrip(".:!?")))


def is_drawn(value: str) -> bool:
    """Return whether letters of both cases and digits stand in no order: "q8Zt!w2Lp0vB", not "ThinkPadX1"."""
    if "://" in value or len(value) < 8:
        return False
    digits = sum(map(str.isdigit, value))
    if _SHORT_HEX.fullmatch(value):
        return 4 <= digits <= len(value) - 4
    upper, lower = sum(map(str.isupper, value)), sum(map(str.islower, value))
    if not (digits and upper and lower) or not value.isascii() or any(sign in value for sign in "=:"):
        return False
    in_words = sum(len(one) for one in _WORD_LIKE.findall(value) if any(char in "aeiouyAEIOUY" for char in one))
    changes = sum(_sort(one) != _sort(two) for one, two in pairwise(value))
    return in_words * 2 < len(value) and changes >= _MIN_CHANGES and upper + lower >= 4


_MIN_CHANGES = 4
"""How often the sort of characters changes at least: "GTX1660Super", a model, changes three times."""


def _sort(char: str) -> int:
    return 0 if char.isdigit() else 1 if char.isupper() else 2 if char.islower() else 3


def find_seeds(found: Found) -> None:
    """Find the words that restore a wallet, after a word for them."""
    found.add_all(_SEED, "secret", 1)
