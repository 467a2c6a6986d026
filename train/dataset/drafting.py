"""Decides what of a session stands in a set and how: what is left out, what is redacted, what is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from train.dataset.cleaning import is_one_sided
from train.dataset.near_duplicates import Found, HeldOut
from train.dataset.options import Options, Progress
from train.dataset.short_replies import ShortReplies
from train.dataset.spool import Spool
from train.dataset_choices import Rule
from train.sessions import Session

Redact = Callable[[str, str], str]

_NOWHERE = Found()


class Draft(msgspec.Struct, array_like=True, gc=False):
    """A session as it will stand in a set, whole: for each turn who speaks, what they say and whether it is trained."""

    platform: str
    start_ms: int
    offset_min: int | None
    is_eval: bool
    persons: list[int]
    texts: list[list[str]]
    trained: list[bool]

    @property
    def messages(self) -> int:
        """How many messages the session holds."""
        return sum([len(lines) for lines in self.texts])


class Drafter:
    """Makes drafts of the sessions of a set, and counts what does not come into it."""

    def __init__(
        self, voices: frozenset[int], options: Options, *, held_out: HeldOut, short: ShortReplies, redact: Redact | None
    ) -> None:
        """Prepare a set in which the people `voices` are trained."""
        self.dropped = Counter[str]()
        """Messages that are in no draft, by reason."""
        self.untrained = Counter[str]()
        """Messages of personas that are context only, by reason."""
        self._voices = voices
        self._options = options
        self._held_out = held_out
        self._short = short
        self._redact = redact

    def drafts(self, spool: Spool, progress: Progress | None, stage: str) -> Iterator[Draft]:
        """Yield a draft of each session that is in the set."""
        if absent := spool.messages_without(self._voices):
            self.dropped["sessions without a persona"] += absent
        told = None if progress is None else lambda total, count: progress(stage, total, count)
        for chat, session, is_eval in spool.read(self._voices, told):
            draft = self._draft(chat.chat.platform, session, is_eval)
            if draft is not None:
                yield draft

    def _draft(self, platform: str, session: Session, is_eval: bool) -> Draft | None:
        trained = [turn.person in self._voices for turn in session.turns]
        # The first turn answers nothing.
        trained[0] = False
        found, reason = _NOWHERE, None
        if not any(trained):
            reason = "sessions that answer nothing"
        elif self._options.cleans(Rule.ONE_SIDED) and is_one_sided(session):
            reason = "one-sided sessions"
        elif not is_eval:
            found = self._held_out.look_for(session)
            reason = "near-duplicates of held-out sessions" if found.whole else None
        if reason is not None:
            self.dropped[reason] += session.messages
            return None
        texts = [turn.messages for turn in session.turns]
        if self._redact is not None:
            texts = _redacted(texts, self._redact)
        if not is_eval:
            self._choose(session, trained, found.turns)
        persons = [turn.person for turn in session.turns]
        return Draft(platform, session.start_ms, session.offset_min, is_eval, persons, texts, trained)

    def _choose(self, session: Session, trained: list[bool], held_out: frozenset[int]) -> None:
        """Train not on turns that are held out in another session, and not on every boring reply."""
        if not held_out and self._options.keep_short >= 1:
            return
        for index, is_trained in enumerate(trained):
            if not is_trained:
                continue
            if index in held_out:
                reason = "near-duplicates of held-out turns"
            elif not self._short.trains(session, index):
                reason = "short replies (--keep-short)"
            else:
                continue
            trained[index] = False
            self.untrained[reason] += len(session.turns[index].messages)


def _redacted(texts: list[list[str]], redact: Redact) -> list[list[str]]:
    """Redact each message, knowing the one before it: "hunter2" alone is a password where one was asked for."""
    before = ""
    redacted = []
    for messages in texts:
        redacted.append([redact(text, before) for before, text in zip([before, *messages], messages, strict=False)])
        before = messages[-1] if messages else before
    return redacted
