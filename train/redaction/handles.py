"""Finds what people are called on other networks: "my insta is @lil.mono", "дискорд goblin_xx#4471"."""

import re

from train.redaction.passwords import cannot_be_a_word, trimmed
from train.redaction.spans import Found

HANDLE_WORDS = frozenset(
    """insta instagram ig snap snapchat sc tiktok telegram tg discord twitter venmo cashapp skype wechat line kakao psn
    xbox steam gamertag handle nick nickname username user login инста инсту инсте инстаграм инстаграме тг телега телеге
    телегу телеграм телеграме дискорд дискорде тикток тиктоке твиттер скайп стим стиме вичат вичате ник ники никнейм
    логин логином вк юзер юзернейм""".split()
)
_CUE = re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(HANDLE_WORDS, key=len, reverse=True))})(?![^\W_])", re.I)
# Between the network and the handle: "is", "acct", "user", "мой", a colon.
_BETWEEN = re.compile(
    r"(?:['’]?s)?(?:[\s:=–—-]{1,4}(?:is|its|it['’]s|id|acct|account|user(?:name)?|name|handle|login|me|at|on|my|under|"
    r"это|мой|моя|мне|ник|логин|аккаунт|акк|юзер|вот|тут|по|в|вичате|телеге|телеграме|инсте)){0,4}[\s:=–—-]{1,4}",
    re.I,
)
_HANDLE = re.compile(r"[@$]?[A-Za-z0-9_](?:[\w.-]{1,32}[A-Za-z0-9_])(?:#\d{3,5})?(?![\w@/])")
# What no word is: "@nico.runs_far"; and before the network: "@nico on insta".
_MARKED = re.compile(r"(?<![\w@./=-])@(?=[\w.]{0,30}?[\d_.][\w.]{0,30}\w)[A-Za-z_][\w.]{2,32}(?<!\.)(?![\w@/])")
_ON = re.compile(
    rf"(?<![\w@./=-])(?P<handle>@[A-Za-z_][\w.]{{2,32}})\s(?:on|in|at|в|на)\s(?:{'|'.join(HANDLE_WORDS)})(?!\w)", re.I
)
_BARE = re.compile(r"[a-z]+", re.I)


def find_handles(found: Found) -> None:
    """Find handles behind a word for the network they are of."""
    text = found.text
    found.add_all(_MARKED, "username", is_one=lambda match: sum(map(str.isalpha, match[0])) >= 3)
    found.add_all(_ON, "username", "handle")
    for cue in _CUE.finditer(text):
        between = _BETWEEN.match(text, cue.end(), min(len(text), cue.end() + 60))
        handle = _HANDLE.match(text, between.end()) if between else None
        if handle is None:
            continue
        start, end = trimmed(text, *handle.span())
        value = text[start:end]
        marked = value[0] in "@$" and not value[1:].isdigit()
        joined = any(sign in value[1:-1] for sign in "_.#") and not _BARE.fullmatch(value)
        if marked or (cannot_be_a_word(value) and (joined or any(map(str.isdigit, value)))) or ("_" in value[1:-1]):
            found.add(start, end, "username")
