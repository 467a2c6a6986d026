"""Writes one set: the sessions that hold something of its personas, redacted, cut to length, one line each."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import msgspec

from persona.context import context_turn
from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.conversations import Cut, Utterance, cut_to_fit, rendered
from train.dataset.cleaning import is_one_sided
from train.dataset.formats import SYSTEM, encoder
from train.dataset.near_duplicates import HeldOut
from train.dataset.options import Options, Progress
from train.dataset.short_replies import ShortReplies
from train.dataset.spool import ChatSpan, Spool
from train.dataset.tally import Example, Tally, month_of
from train.dataset.tokens import TokenCounter
from train.sessions import Session, Turn

TRAIN, EVAL = "train.jsonl", "eval.jsonl"
FILES = (TRAIN, EVAL)

Redact = Callable[[str], str]


class Written(msgspec.Struct):
    """What became of one set: where it lies, its lines, and messages trained on by speaker."""

    folder: Path
    train_lines: int
    eval_lines: int
    trained: dict[str, int]
    evaluated: dict[str, int]
    too_long: int
    """Trained turns that did not fit."""
    dropped: dict[str, int]
    """Messages of the store that are in no line, by reason."""
    redacted: dict[str, int]
    """Spans that were replaced, by kind."""
    warnings: list[str]


class SetWriter:
    """Writes the lines of one set and counts what is in them."""

    def __init__(
        self,
        names: dict[int, str],
        voices: frozenset[int],
        options: Options,
        counter: TokenCounter,
        *,
        held_out: HeldOut,
        short: ShortReplies,
        redact: Redact | None,
    ) -> None:
        """Prepare a set in which the people `voices` are trained; `names` are everybody's speaker names."""
        self.tally = Tally([names[one] for one in sorted(voices)], options.seed)
        self.too_long = 0
        self._names = names
        self._voices = voices
        self._options = options
        self._counter = counter
        self._held_out = held_out
        self._short = short
        self._redact = redact
        self._encode = encoder(options.format, self.tally.personas)
        self._limit = options.pack or options.max_tokens
        self._cost = lru_cache(4096)(lambda text: self._counter.count([text])[0])

    def write(self, spool: Spool, folder: Path, progress: Progress | None = None) -> dict[str, str]:
        """Write both files to `folder`, whole or not at all, and return their SHA-256 by name."""
        make_private_dir(folder)
        drafts = {name: folder / f"{name}.part" for name in FILES}
        sums = {name: hashlib.sha256() for name in FILES}
        try:
            with ExitStack() as stack:
                files = {name: stack.enter_context(_private(path)) for name, path in drafts.items()}
                for chat, session, is_eval in spool.read(_told(progress, f"writing {folder.name}")):
                    name = EVAL if is_eval else TRAIN
                    for line in self._lines(chat, session, is_eval):
                        sums[name].update(line)
                        files[name].write(line)
            for name, draft in drafts.items():
                draft.replace(folder / name)
        except OSError as error:
            raise cannot_write(folder, error) from error
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        return {name: digest.hexdigest() for name, digest in sums.items()}

    def _lines(self, chat: ChatSpan, session: Session, is_eval: bool) -> Iterator[bytes]:
        reason = self._reason_against(session, is_eval)
        if reason is not None:
            self.tally.dropped[reason] += session.messages
            return
        texts = [self._redacted(turn) for turn in session.turns]
        turns = [
            Utterance(self._names[turn.person], self._value(lines), turn.person in self._voices)
            for turn, lines in zip(session.turns, texts, strict=True)
        ]
        # The first turn answers nothing.
        turns[0].train = False
        if not is_eval:
            self._choose(session, turns)
        context = self._context(chat, session)
        cut = cut_to_fit(turns, self._room(context), self._counter.count, self._options.overlap)
        self._count(session, turns, texts, cut, is_eval)
        if not is_eval:
            for speaker in {turns[index].speaker for index in cut.trained}:
                self.tally.personas[speaker].platforms[chat.chat.platform] += 1
        part = "eval" if is_eval else "train"
        for window, tokens in zip(cut.windows, cut.tokens, strict=True):
            line = [*context, *window]
            if not is_eval:
                self.tally.line_tokens[tokens + sum(self._cost(rendered(turn)) for turn in context)] += 1
                self.tally.add_example(Example(chat.chat.platform, session.start_ms, session.offset_min, line))
            self.tally.lines[part] += 1
            self.tally.tokens[part] += tokens
            yield self._encode(line)

    def _reason_against(self, session: Session, is_eval: bool) -> str | None:
        """Return why a session is not in the set, or None."""
        if not any(turn.person in self._voices for turn in session.turns):
            return "sessions without a persona"
        if not any(turn.person in self._voices for turn in session.turns[1:]):
            return "sessions that answer nothing"
        if self._options.cleans("one-sided"):
            by_person = Counter[int]()
            for turn in session.turns:
                by_person[turn.person] += len(turn.messages)
            if is_one_sided(by_person):
                return "one-sided sessions"
        if not is_eval and self._held_out.has_like(session):
            return "near-duplicates of held-out sessions"
        return None

    def _redacted(self, turn: Turn) -> list[str]:
        return turn.messages if self._redact is None else [self._redact(message) for message in turn.messages]

    def _value(self, messages: list[str]) -> str:
        return "\n".join(self._options.bubble_prefix + message for message in messages)

    def _choose(self, session: Session, turns: list[Utterance]) -> None:
        """Train not on what is held out in another session, and not on every boring reply."""
        for index, (turn, utterance) in enumerate(zip(session.turns, turns, strict=True)):
            if not utterance.train:
                continue
            if self._held_out.has_turn(turn.messages):
                utterance.train = False
                self.tally.untrained["near-duplicates of held-out turns"] += len(turn.messages)
            elif not self._short.trains(session, index):
                utterance.train = False
                self.tally.untrained["short replies (--keep-short)"] += len(turn.messages)

    def _context(self, chat: ChatSpan, session: Session) -> list[Utterance]:
        if not self._options.context:
            return []
        names = {self._names[turn.person] for turn in session.turns}
        return [Utterance(SYSTEM, context_turn(names, chat.chat.platform, local_time(session)), False)]

    def _room(self, context: list[Utterance]) -> int:
        """Return the tokens that are left for turns; 0 is no limit."""
        if not self._limit or not context:
            return self._limit
        return max(self._limit - sum(self._cost(rendered(turn)) for turn in context), 1)

    def _count(self, session: Session, turns: list[Utterance], texts: list[list[str]], cut: Cut, is_eval: bool) -> None:
        tally = self.tally
        used = {index for indices in cut.used for index in indices}
        trained = set(cut.trained)
        missed = sum(turn.train for turn in turns) - len(trained)
        self.too_long += missed
        if used:
            tally.session_messages[session.messages] += 1
        reason = "turns that do not fit" if missed else "what follows the last trained turn of a window"
        month = month_of(session.start_ms)
        for index, (turn, lines) in enumerate(zip(turns, texts, strict=True)):
            if index not in used:
                tally.dropped[reason if cut.windows or missed else "sessions with nothing to train"] += len(lines)
                continue
            tally.kept += len(lines)
            tally.add_turn(turn.speaker, month, lines)
            if index in trained:
                persona = tally.personas[turn.speaker]
                if is_eval:
                    persona.evaluated += len(lines)
                else:
                    persona.trained += len(lines)
                    persona.turns += 1
        if not is_eval:
            self._count_tokens(turns, cut.trained)

    def _count_tokens(self, turns: list[Utterance], trained: list[int]) -> None:
        """Count the tokens that the loss falls on: bodies and closing marks."""
        costs = self._counter.count([turns[index].value for index in trained])
        for index, tokens in zip(trained, costs, strict=True):
            self.tally.personas[turns[index].speaker].tokens += tokens + 1


def _told(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda total, count: progress(stage, total, count)


def local_time(session: Session) -> datetime | None:
    """Return when a session began by the clock of whoever wrote first; by this machine's where that is not known."""
    try:
        if session.offset_min is None:
            return datetime.fromtimestamp(session.start_ms / 1000)
        return datetime.fromtimestamp(session.start_ms / 1000, timezone(timedelta(minutes=session.offset_min)))
    except (ValueError, OverflowError, OSError):
        return None


def _private(path: Path) -> BinaryIO:
    """Open a file to write that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE_MODE)
    os.fchmod(handle, PRIVATE_FILE_MODE)
    return open(handle, "wb", buffering=1 << 20)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all; a UserError where that cannot be."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with _private(draft) as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return what to say when the system does not let a file be written."""
    return UserError(f"{path} cannot be written: {error.strerror}.", "Look at the folder, and the space that is left.")
