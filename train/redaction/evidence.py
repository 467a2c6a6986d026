"""Whether a word that is also a name is meant as one where it stands: "Will said", "ask Will"; not "will you"."""

import re

from train.redaction import russian

_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile('[.!?…:;"“«(\\[)\\]>|•*—–\n\u2600-\u27bf\U0001f000-\U0001faff-]\\s*\\Z')
_CALLED = re.compile(r"(?:,\s|[?!…,.]{1,3}(?:\s|\Z)|\s*[)(:;❤\U0001f000-\U0001faff]|\s*\Z)")
_APOSTROPHE = re.compile(r"['’](\w{1,2})(?!\w)")
_MONTHS = frozenset("may april august june march january december summer autumn spring winter".split())
_BEFORE_A_MONTH = frozenset(
    """in of since until till by next last this early late mid from to before after on through during end every each
    st nd
    rd th and""".split()
)
_VERBS = frozenset(
    """said says asked asks told tells called calls texted wrote writes wants wanted thinks thought knows knew came
    comes
    went goes got gets lives works loves liked loved hates sent sends gave gives forgot needs needed made makes took
    takes
    brought brings left arrived moved married bought sold invited promised agreed replied answered laughed cried
    smiled looks looked seems seemed sounds hasn didn doesn wasn isn wouldn won couldn can and""".split()
)
# Verbs themselves: what follows them as a subject would, makes them a name.
_NO_NOUNS = frozenset(
    "will mark grant drew chase rob josh sue pat bill frank jack nick guy skip carter dean hank".split()
)
_BE = frozenset("is was has had does did will would can could just also still never always really already".split())
_RUSSIAN_CALLS = frozenset("привет ты а ну слушай смотри дай скажи спасибо пожалуйста где когда как что".split())


def is_meant(text: str, start: int, end: int) -> bool:
    """Return whether `text[start:end]`, a word that is a name too, is the name of somebody."""
    if text[start - 1 : start] == "@":
        return True
    word = text[start:end]
    if not word[0].isupper():
        return False
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    if word.isupper() and len(word) > 1 and text[line_start:line_end].isupper():
        return False
    apostrophe = _APOSTROPHE.match(text, end)
    if apostrophe and apostrophe[1] != "s":
        # "Don't", "Will've"
        return False
    before = text[max(line_start, start - 40) : start]
    if word.casefold() in _MONTHS and _is_month(before, text[end : end + 8]):
        return False
    if before.strip() and not _BREAK.search(before):
        return True
    return bool(apostrophe) or _is_subject(word.casefold(), text, start, end, line_start, line_end)


def _is_month(before: str, after: str) -> bool:
    words = _WORD.findall(before)
    return bool(words and words[-1].casefold().lstrip("0123456789") in {*_BEFORE_A_MONTH, ""}) or bool(
        re.match(r"\s?\d", after)
    )


def _is_subject(word: str, text: str, start: int, end: int, line_start: int, line_end: int) -> bool:
    """Return whether a word at the beginning of a sentence does something, or is called."""
    alone = not text[line_start:start].strip()
    called = _CALLED.match(text, end, line_end)
    if called and (alone or called[0].startswith(",")):
        return True
    follows = _WORD.search(text, end, min(line_end, end + 40))
    if follows is None or text[end : follows.start()].strip():
        return False
    verb = follows[0].casefold()
    if verb in _VERBS or (word in _NO_NOUNS and verb in _BE):
        return True
    if "а" <= word[0] <= "я":
        return verb in _RUSSIAN_CALLS or (russian.is_verb(verb) and verb not in ("умирает", "была", "было", "был"))
    return False
