"""Whether a word that is also a name is meant as one where it stands: "Will said", "ask Will"; not "will you"."""

import re

from train.redaction import russian

_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile('[.!?…:;"“«(\\[)\\]>|•*—–\n\u2600-\u27bf\U0001f000-\U0001faff-]\\s*\\Z')
_CALLED = re.compile(r"(?:,\s|[?!…,.]{1,3}(?:\s|\Z)|\s*[)(:;❤\U0001f000-\U0001faff]|\s*\Z)")
_APOSTROPHE = re.compile(r"['’](\w{1,2})(?!\w)")
_MONTHS = frozenset("may april august june march january december summer autumn spring winter".split())
_BEFORE_A_MONTH = frozenset(
    """in of since until till by next last this early late mid from to before after on through during end every each st
    nd rd th and""".split()
)
_VERBS = frozenset(
    """said says asked asks told tells called calls texted wrote writes wants wanted thinks thought knows knew came
    comes went goes got gets lives works loves liked loved hates sent sends gave gives forgot needs needed made makes
    took takes owes owed pays paid runs ran plays played won wins lost found eats drinks keeps kept feels
    felt brought brings left arrived moved married bought sold invited promised agreed replied answered laughed
    cried smiled looks looked seems seemed sounds hasn didn doesn wasn isn wouldn won couldn can and""".split()
)
_SAYING = frozenset(
    """said says asked told texted thinks thought wants wanted knew wrote сказал сказала говорит спросил спросила
    написал
    написала позвонил позвонила думает хочет ответил ответила пишет""".split()
)
_DETERMINERS = frozenset(
    """the a an my your his her our their this that no any some every each of to моя моей моё мой твоя твой его её наша
    наш эта этот вся весь""".split()
)
_BESIDES = frozenset(
    "опять снова уже ещё еще тоже всегда сегодня вчера завтра там тут не потом так мне тебе нам".split()
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
    line_start = text.rfind("\n", 0, start) + 1
    if not word[0].isupper():
        return _is_said_to_say(text, line_start, start, end)
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


def _is_said_to_say(text: str, line_start: int, start: int, end: int) -> bool:
    """Return whether a word in small letters says or wants something, as no thing does: "amber said"."""
    follows = _WORD.search(text, end, end + 20)
    if follows is None or text[end : follows.start()].strip(" ") or follows[0].casefold() not in _SAYING:
        return False
    before = _WORD.findall(text[max(line_start, start - 20) : start])
    return not before or before[-1].casefold() not in _DETERMINERS


def _is_month(before: str, after: str) -> bool:
    words = _WORD.findall(before)
    return bool(words and words[-1].casefold().lstrip("0123456789") in {*_BEFORE_A_MONTH, ""}) or bool(
        re.match(r"\s?\d", after)
    )


def _is_subject(word: str, text: str, start: int, end: int, line_start: int, line_end: int) -> bool:
    """Return whether a word at the beginning of a sentence does something, or is called."""
    alone = not text[line_start:start].strip()
    called = _CALLED.match(text, end, line_end)
    # The last word of a message by itself is who wrote it, or whom it is for: "See you! Will".
    last = called is not None and called.end() == line_end
    if called and (alone or last or called[0].startswith(",")):
        return True
    follows = _WORD.search(text, end, min(line_end, end + 40))
    if follows is None or text[end : follows.start()].strip():
        return False
    verb = follows[0].casefold()
    if verb in _BESIDES:
        next_word = _WORD.search(text, follows.end(), min(line_end, follows.end() + 30))
        verb = next_word[0].casefold() if next_word else verb
    if verb in _VERBS or (word in _NO_NOUNS and verb in _BE):
        return True
    if "а" <= word[0] <= "я":
        return verb in _RUSSIAN_CALLS or (russian.is_verb(verb) and verb not in ("умирает", "была", "было", "был"))
    return False
