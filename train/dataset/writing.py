"""Writes one set: the sessions that hold something of its personas, redacted, cut to length, one line each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from persona.context import context_turn
from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from persona.template import render_turn
from train.conversations import Cut, Utterance, cut_to_fit, rendered
from train.dataset.cleaning import is_one_sided
from train.dataset.formats import SYSTEM, encoder
from train.dataset.near_duplicates import Found, HeldOut
from train.dataset.options import Options, Progress
from train.dataset.short_replies import ShortReplies
from train.dataset.spool import ChatSpan, Spool
from train.dataset.tally import Example, Tally, month_of
from train.dataset.tokens import TokenCounter
from train.sessions import Session

TRAIN, EVAL = "train.jsonl", "eval.jsonl"
FILES = (TRAIN, EVAL)

Redact = Callable[[str], str]

_TURNS_AT_ONCE = 8192
_NOWHERE = Found()


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


class _Draft(msgspec.Struct, gc=False):
    """A session on its way into a set: its messages as they are written, by turn, and its turns."""

    chat: ChatSpan
    session: Session
    is_eval: bool
    texts: list[list[str]]
    turns: list[Utterance]


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
        self._opening = _Openings(counter)

    def write(self, spool: Spool, folder: Path, progress: Progress | None = None) -> dict[str, str]:
        """Write both files to `folder`, whole or not at all, and return their SHA-256 by name."""
        make_private_dir(folder)
        drafts = {name: folder / f"{name}.part" for name in FILES}
        sums = {name: hashlib.sha256() for name in FILES}
        try:
            with ExitStack() as stack:
                files = {name: stack.enter_context(_private(path)) for name, path in drafts.items()}
                sessions = spool.read(self._voices, _told(progress, f"writing {folder.name}"))
                for lines in self._lines(sessions):
                    for name, part in zip(FILES, lines, strict=True):
                        sums[name].update(part)
                        files[name].write(part)
            for name, draft in drafts.items():
                draft.replace(folder / name)
        except OSError as error:
            raise cannot_write(folder, error) from error
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        return {name: digest.hexdigest() for name, digest in sums.items()}

    def _lines(self, sessions: Iterable[tuple[ChatSpan, Session, bool]]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the lines of many sessions at once, so that tokens are: those to train on, and those held out."""
        drafts: list[_Draft] = []
        turns = 0
        for chat, session, is_eval in sessions:
            draft = self._draft(chat, session, is_eval)
            if draft is None:
                continue
            drafts.append(draft)
            turns += len(draft.turns)
            if turns >= _TURNS_AT_ONCE:
                yield self._finished(drafts)
                drafts, turns = [], 0
        yield self._finished(drafts)

    def _draft(self, chat: ChatSpan, session: Session, is_eval: bool) -> _Draft | None:
        """Return a session in which a persona speaks as it will stand in the set, whole; None when it is not in it."""
        trained = [turn.person in self._voices for turn in session.turns]
        # The first turn answers nothing.
        trained[0] = False
        found, reason = _NOWHERE, None
        if not any(trained):
            reason = "sessions that answer nothing"
        elif self._options.cleans("one-sided") and is_one_sided(session):
            reason = "one-sided sessions"
        elif not is_eval:
            found = self._held_out.look_for(session)
            reason = "near-duplicates of held-out sessions" if found.whole else None
        if reason is not None:
            self.tally.dropped[reason] += session.messages
            return None
        texts = [turn.messages for turn in session.turns]
        if self._redact is not None:
            texts = [list(map(self._redact, messages)) for messages in texts]
        if not is_eval:
            self._choose(session, trained, found.turns)
        values = map(self._value, texts)
        speakers = [self._names[turn.person] for turn in session.turns]
        return _Draft(chat, session, is_eval, texts, list(map(Utterance, speakers, values, trained)))

    def _finished(self, drafts: list[_Draft]) -> tuple[bytes, bytes]:
        """Return the lines of drafts: those to train on, and those held out."""
        costs = iter(self._counter.count([rendered(turn) for draft in drafts for turn in draft.turns]))
        train: list[bytes] = []
        held_out: list[bytes] = []
        for draft in drafts:
            own = list(islice(costs, len(draft.turns)))
            context = self._context(draft.chat, draft.session)
            spent = sum([self._cost(rendered(turn)) for turn in context])
            room = max(self._limit - spent, 1) if self._limit else 0
            cut = cut_to_fit(draft.turns, room, self._counter.count, self._options.overlap, own)
            self._count(draft, cut, own)
            part, lines = ("eval", held_out) if draft.is_eval else ("train", train)
            for window, tokens in zip(cut.windows, cut.tokens, strict=True):
                line = [*context, *window]
                if not draft.is_eval:
                    session = draft.session
                    self.tally.line_tokens[tokens + spent] += 1
                    example = Example(draft.chat.chat.platform, session.start_ms, session.offset_min, line)
                    self.tally.add_example(example)
                self.tally.lines[part] += 1
                self.tally.tokens[part] += tokens + spent
                lines.append(self._encode(line))
        return b"".join(train), b"".join(held_out)

    def _value(self, messages: list[str]) -> str:
        prefix = self._options.bubble_prefix
        if not prefix:
            return "\n".join(messages)
        return "\n".join([prefix + message for message in messages])

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
            self.tally.untrained[reason] += len(session.turns[index].messages)

    def _context(self, chat: ChatSpan, session: Session) -> list[Utterance]:
        if not self._options.context:
            return []
        names = {self._names[turn.person] for turn in session.turns}
        return [Utterance(SYSTEM, context_turn(names, chat.chat.platform, local_time(session)), False)]

    def _count(self, draft: _Draft, cut: Cut, costs: list[int]) -> None:
        tally, turns, session = self.tally, draft.turns, draft.session
        whole = len(cut.used) == 1 and len(cut.used[0]) == len(turns)
        used = range(len(turns)) if whole else {index for indices in cut.used for index in indices}
        trained = set(cut.trained)
        missed = 0 if whole else sum(turn.train for turn in turns) - len(trained)
        self.too_long += missed
        if used:
            tally.session_messages[session.messages] += 1
        if not whole:
            reason = "turns that do not fit" if missed else "what follows the last trained turn of a window"
            if not cut.windows and not missed:
                reason = "sessions with nothing to train"
            left = sum(len(lines) for index, lines in enumerate(draft.texts) if index not in used)
            if left:
                tally.dropped[reason] += left
        month = month_of(session.start_ms)
        for index in used if whole else sorted(used):
            tally.add_turn(turns[index].speaker, month, draft.texts[index])
        for index in cut.trained:
            persona, messages = tally.personas[turns[index].speaker], len(draft.texts[index])
            if draft.is_eval:
                persona.evaluated += messages
            else:
                persona.trained += messages
                persona.turns += 1
                persona.platforms[draft.chat.chat.platform] += 1
                # The loss falls on the body and the closing mark.
                persona.tokens += costs[index] - self._opening[persona.speaker] + 1


class _Openings(dict[str, int]):
    """The tokens that a turn of each speaker takes besides its messages, counted when first asked for."""

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    def __missing__(self, speaker: str) -> int:
        self[speaker] = tokens = self._counter.count([render_turn(speaker, "")])[0]
        return tokens


def _told(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda total, count: progress(stage, total, count)


def local_time(session: Session) -> datetime | None:
    """Return when a session began by the clock of whoever wrote first; None where that is not known.

    Not by this machine's clock: the same messages give the same set everywhere.
    """
    try:
        if session.offset_min is None:
            return None
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
