"""Finds what answers a question for a password or a code: in the line, or the message, behind the one that asks.

"what's the wifi?" is followed by "hunter2-Blue", "gate code??" by "4 7 1 0 and push". A line asks where it speaks of a
password or a code and holds none; the next one that is not empty is looked at for what cannot be a word.
"""

import re

from train.redaction.codes import AMOUNT_AFTER, CODE_CUE, LOCK_CUE
from train.redaction.passwords import NETWORK_CUE, PASSWORD_CUE, cannot_be_a_word, is_rare, trimmed
from train.redaction.spans import Found

_MAX_WORDS = 12
"""Longer lines than this say something else."""
_MAX_BEHIND = 40
"""How many characters a line that asks without a question mark has behind its word for a password."""
_SHORT = 5
"""How many words a line has that speaks of a lock and nothing else: "and the lockbox"."""
_WORD = re.compile(r"\S+")
_NUMBER = re.compile(
    r"(?<![\w.,:/$€£₽+-])(?:[*#]?\d(?:[ -]?\d){3,9}[*#]?|[*#]\d{3,9}[*#]?|\d{3,9}[*#]|[A-Za-zА-Яа-я]-?\d{3,8}|"
    r"\d{1,4}[#*кКkKвВ]\d{3,8}|\d{3,9}[A-Za-zА-Яа-я](?!\w))(?![\w%$€£₽]|[.,:/]\d)"
)
_YEAR_IN_A_SENTENCE = re.compile(r"\b(?:in|since|from|until|of|в|с|до|за)\s(?:19|20)\d\d\b", re.I)
_ASKING = re.compile(
    r"(?<!\w)(?:wh?at'?s?|wuts?|wht|which|who|anyone|any1|send|gimme|give|tell|share|need|remind|forgot|remember|"
    r"как(?:ой|ая|ие)|кто|скинь\w*|напомни\w*|дай\w*|скажи\w*|кинь\w*|пришли\w*|подскажи\w*|забыл\w?|нужен|"
    r"wie|was|cu[aá]l|quel)(?!\w)",
    re.I,
)
_GIVES = re.compile(r"(?:it'?s|its|it is|try|use|here|this|it|то|это|там|вот|пробуй|попробуй|держи|такой)\W{0,3}", re.I)


def asks(line: str) -> bool:
    """Return whether a line asks for a password or a code, or speaks of one at its end."""
    question = "?" in line or _ASKING.search(line) is not None
    network = NETWORK_CUE.search(line)
    if network and (question or len(line.split()) <= _SHORT):
        return True
    bare = line.rstrip(" .,;:!?…)-–—")
    for cues in (PASSWORD_CUE, CODE_CUE, LOCK_CUE):
        cue = cues.search(line)
        short = len(bare.split()) <= _SHORT
        if cue and (question or ((short or cues is not LOCK_CUE) and len(bare) - cue.end() < _MAX_BEHIND)):
            return True
    return False


def find_answers(text: str, before: str, found: Found) -> None:
    """Find passwords and codes in lines behind one that asks for them; `before` is what was said before `text`."""
    asked = asks(before.rstrip().rpartition("\n")[2])
    at = 0
    for line in text.split("\n"):
        end = at + len(line)
        if line.strip():
            if asked and not found.has_secret(at, end):
                _find_answer(text, at, end, found)
            asked = asks(line) and not found.has_secret(at, end)
        at = end + 1


def _find_answer(text: str, start: int, end: int, found: Found) -> None:
    words = list(_WORD.finditer(text, start, end))
    if len(words) > _MAX_WORDS:
        return
    for word in words:
        first, last = trimmed(text, *word.span())
        if cannot_be_a_word(text[first:last]):
            found.add(first, last, "secret")
    for number in _NUMBER.finditer(text, start, end):
        if not (AMOUNT_AFTER.match(text, number.end()) or _YEAR_IN_A_SENTENCE.search(text, start, end)):
            found.add(number.start(), number.end(), "secret")
    given = _GIVES.match(text, start, end)
    last_word = words[-1]
    if len(words) == 1 or (given and given.end() == last_word.start()):
        first, last = trimmed(text, *last_word.span())
        if is_rare(text[first:last]) and "?" not in text[last:end]:
            found.add(first, last, "secret")
