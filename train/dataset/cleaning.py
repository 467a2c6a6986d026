"""What is nobody's voice, or not worth learning: messages that are left out of every set, each counted by its rule.

The rules judge one message at a time, with what is known of its sender. Each can be switched off (`--keep RULE`).
What is left out leaves no mark: a reply to it answers what came before.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from math import inf

from train.dataset.options import Options
from train.dataset_choices import Rule
from train.messages import Kind
from train.sessions import Session

WALL_CHARS = 1000
WALL_TIMES = 10
WALL_SHARE = 0.2
"""A wall is a text of so many characters, so many times as long as its sender's shorter texts are on average. Where
this share of somebody's texts is so long, they write letters, and go on writing them."""
REPEATED_CHARS = 40
REPEATED_KEPT = 3
"""The same text of so many characters from one person is kept so often; after that it is taken for an automatic one.
Digits count as equal, since balances and codes change."""
ONE_SIDED_MESSAGES = 20
ONE_SIDED_SHARE = 0.95
"""A session of so many messages in which one person wrote this share of them is a feed, not a conversation."""

SERVICE_KINDS = frozenset({Kind.SERVICE.value, Kind.CALL.value})
_TEXT = Kind.TEXT.value

# "bot" as a word of its own or as CamelCase's last part: Mr Talbot is no machine.
_BOT_NAME = re.compile(r"(?:(?:^|[\W_])[Bb](?:ot|OT)|[a-z0-9]Bot|(?:^|[\W_])[Бб]от)$")
_DIGITS = re.compile(r"\d+")

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE_LINE = re.compile(
    r"""\s*(?:
        (?:import|from|def|class|function|const|let|var|public|private|protected|static|return|fn|func|package|using)
            \s.*[\w(){};:,"'>\]]$
      | \#include\b | \#!\s*/ | @\w+(?:\(.*\))?$ | //\s | /\*
      | (?:if|for|while|switch|catch|elif|else\ if)\s*\(.*
      | (?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|FROM|WHERE|JOIN)\s.*
      | </?[A-Za-z][\w:-]*(?:\s[^<>]*)?/?> .*
      | "[\w .-]+"\s*:\s*.+ | [\w.\[\]"']+\s*[-+*/]?=\s*\S.*
      | at\s[\w.$<>]+\(.*\) | File\s".*",\sline\s\d+ .* | Traceback\s\(most .* | Caused\sby: .*
      | \$\s\w.* | >>>\s.* | \[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d.* | \[?(?:INFO|DEBUG|WARN|WARNING|ERROR)\b.*
      | [)\]}]+[;,]?
      | .*[;{}]
    )\s*$""",
    re.VERBOSE,
)
_CODE_LINES = 4
_CODE_SHARE = 0.6


def is_bot_name(name: str) -> bool:
    """Return whether an account's name says that it is a program: "WeatherBot", "group help bot", "rose_bot"."""
    return _BOT_NAME.search(name.strip()) is not None


def is_code(text: str) -> bool:
    """Return whether a message is mostly program text, a log or a stack trace, of four lines or more."""
    if text.count("\n") < _CODE_LINES - 1:
        return False
    if "```" in text:
        fenced = "".join(_FENCE.findall(text))
        if fenced.count("\n") >= _CODE_LINES - 1 and len(fenced) * 2 > len(text):
            return True
    lines = [line for line in text.split("\n") if line.strip()]
    # Long lines are judged by their beginnings: patterns must not walk through megabytes.
    marks = sum(_CODE_LINE.match(line[:200]) is not None for line in lines)
    return len(lines) >= _CODE_LINES and marks >= _CODE_SHARE * len(lines)


class Cleaner:
    """Judges messages one after another."""

    def __init__(self, db: sqlite3.Connection, options: Options) -> None:
        """Learn from the store who is a program, and how long each account's messages are on average."""
        self._forwards = options.cleans(Rule.FORWARDS)
        self._service = options.cleans(Rule.SERVICE)
        self._walls = options.cleans(Rule.WALLS)
        self._code = options.cleans(Rule.CODE)
        self._repeated = options.cleans(Rule.REPEATED)
        # A plain dict: a Counter calls Python for each key that it does not have.
        self._times: dict[int, int] = {}
        self.bots = _bots(db) if options.cleans(Rule.BOTS) else frozenset()
        """Accounts whose messages are left out."""
        self._usual = _usual_lengths(db) if self._walls else {}

    def rule_against(self, account: int, kind: str, text: str, forwarded_from: str | None) -> str | None:
        """Return the rule that leaves a message out, or None when it stays.

        A text of less than `REPEATED_CHARS` that was not forwarded stays, unless its account is one of `bots`.
        """
        if forwarded_from is not None and self._forwards:
            return "forwards"
        if account in self.bots:
            return "bots"
        if kind != _TEXT:
            return "service" if self._service and kind in SERVICE_KINDS else None
        if len(text) < REPEATED_CHARS:
            return None
        if self._walls and len(text) >= max(WALL_CHARS, WALL_TIMES * self._usual.get(account, 0.0)):
            return "walls"
        if self._code and is_code(text):
            return "code"
        return "repeated" if self._repeated and self._said_before(account, text) else None

    def _said_before(self, account: int, text: str) -> bool:
        key = hash((account, _DIGITS.sub("0", text).casefold()))
        self._times[key] = times = self._times.get(key, 0) + 1
        return times > REPEATED_KEPT


def _bots(db: sqlite3.Connection) -> frozenset[int]:
    rows = db.execute(
        "SELECT a.id, a.account, a.name FROM accounts a JOIN people p ON p.id = a.person_id WHERE NOT p.is_owner"
    )
    return frozenset(row[0] for row in rows if is_bot_name(row[1]) or is_bot_name(row[2] or ""))


def _usual_lengths(db: sqlite3.Connection) -> dict[int, float]:
    """Return the mean length of the texts that are no walls, in characters, of each account that sent one that long.

    Endless for letter writers.
    """
    # Grouping every message takes several times as long as looking for the long ones, which few have written.
    rows = db.execute(
        "SELECT sender_id, avg(length(text) >= ?1), avg(iif(length(text) < ?1, length(text), NULL)) FROM messages "
        "WHERE kind = 'text' AND forwarded_from IS NULL AND sender_id IN "
        "(SELECT sender_id FROM messages WHERE kind = 'text' AND length(text) >= ?1) GROUP BY sender_id",
        [WALL_CHARS],
    )
    return {account: inf if long >= WALL_SHARE else usual or 0.0 for account, long, usual in rows}


def is_one_sided(session: Session) -> bool:
    """Return whether a session is one person's feed."""
    total = session.messages
    if total < ONE_SIDED_MESSAGES:
        return False
    by_person = Counter[int]()
    for turn in session.turns:
        by_person[turn.person] += len(turn.messages)
    return max(by_person.values()) >= ONE_SIDED_SHARE * total
