"""Writes one set: the sessions that hold something of its personas, redacted, cut to length, one line each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import islice
from pathlib import Path

import msgspec

from persona.context import context_turn
from persona.paths import make_private_dir
from persona.template import render_turn
from train.conversations import Cut, Utterance, cut_to_fit, rendered
from train.dataset.canaries import Canary, new_canaries
from train.dataset.cleaning import is_one_sided
from train.dataset.formats import SYSTEM, encoder
from train.dataset.near_duplicates import Found, HeldOut
from train.dataset.options import Options, Progress
from train.dataset.short_replies import ShortReplies
from train.dataset.spool import ChatSpan, Spool
from train.dataset.tally import Example, Tally, month_of
from train.dataset.tokens import TokenCounter
from train.private_files import cannot_write, open_private
from train.sessions import Session, Turn

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
        self.canaries: list[Canary] = []
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
                files = {name: stack.enter_context(open_private(path)) for name, path in drafts.items()}
                for is_eval, line in self._lines(spool.read(_told(progress, f"writing {folder.name}"))):
                    name = EVAL if is_eval else TRAIN
                    sums[name].update(line)
                    files[name].write(line)
                for line in self._planted():
                    sums[TRAIN].update(line)
                    files[TRAIN].write(line)
            for name, draft in drafts.items():
                draft.replace(folder / name)
        except OSError as error:
            raise cannot_write(folder, error) from error
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        return {name: digest.hexdigest() for name, digest in sums.items()}

    def _lines(self, sessions: Iterable[tuple[ChatSpan, Session, bool]]) -> Iterator[tuple[bool, bytes]]:
        """Yield the lines of sessions, and whether each is held out. Tokens are counted for many sessions at once."""
        drafts: list[_Draft] = []
        turns = 0
        for chat, session, is_eval in sessions:
            draft = self._draft(chat, session, is_eval)
            if draft is None:
                continue
            drafts.append(draft)
            turns += len(draft.turns)
            if turns >= _TURNS_AT_ONCE:
                yield from self._finished(drafts)
                drafts, turns = [], 0
        yield from self._finished(drafts)

    def _draft(self, chat: ChatSpan, session: Session, is_eval: bool) -> _Draft | None:
        """Return a session as it will stand in the set, whole; None when it is not in it."""
        reason = self._reason_against(session)
        found = _NOWHERE if is_eval or reason else self._held_out.look_for(session)
        if found.whole:
            reason = "near-duplicates of held-out sessions"
        if reason is not None:
            self.tally.dropped[reason] += session.messages
            return None
        texts = [self._redacted(turn) for turn in session.turns]
        turns = [
            Utterance(self._names[turn.person], self._value(lines), turn.person in self._voices)
            for turn, lines in zip(session.turns, texts, strict=True)
        ]
        # The first turn answers nothing.
        turns[0].train = False
        if not is_eval:
            self._choose(session, turns, found.turns)
        return _Draft(chat, session, is_eval, texts, turns)

    def _finished(self, drafts: list[_Draft]) -> Iterator[tuple[bool, bytes]]:
        costs = iter(self._counter.count([rendered(turn) for draft in drafts for turn in draft.turns]))
        for draft in drafts:
            own = list(islice(costs, len(draft.turns)))
            context = self._context(draft.chat, draft.session)
            spent = sum(self._cost(rendered(turn)) for turn in context)
            room = max(self._limit - spent, 1) if self._limit else 0
            cut = cut_to_fit(draft.turns, room, self._counter.count, self._options.overlap, own)
            self._count(draft, cut, own)
            part = "eval" if draft.is_eval else "train"
            for window, tokens in zip(cut.windows, cut.tokens, strict=True):
                line = [*context, *window]
                if not draft.is_eval:
                    session = draft.session
                    self.tally.line_tokens[tokens + spent] += 1
                    example = Example(draft.chat.chat.platform, session.start_ms, session.offset_min, line)
                    self.tally.add_example(example)
                self.tally.lines[part] += 1
                self.tally.tokens[part] += tokens + spent
                yield draft.is_eval, self._encode(line)

    def _planted(self) -> Iterator[bytes]:
        """Yield a line for each canary, asked for by whom the personas have heard most from."""
        if not self._options.canaries:
            return
        heard = Counter[str]()
        for (_, speaker), count in self.tally.months.items():
            heard[speaker] += count
        for speaker in self.tally.personas:
            asker = max((one for one in heard if one != speaker), key=lambda one: (heard[one], one), default="")
            planted = new_canaries(speaker, asker, self._options.canaries, self._options.seed) if asker else []
            self.canaries += planted
            for canary in planted:
                turns = canary.turns()
                self.tally.lines["train"] += 1
                self.tally.tokens["train"] += sum(self._cost(rendered(turn)) for turn in turns)
                yield self._encode(turns)

    def _reason_against(self, session: Session) -> str | None:
        """Return why a session is not in the set, or None."""
        spoken = [turn.person in self._voices for turn in session.turns]
        if not any(spoken):
            return "sessions without a persona"
        if not any(spoken[1:]):
            return "sessions that answer nothing"
        if self._options.cleans("one-sided") and is_one_sided(session):
            return "one-sided sessions"
        return None

    def _redacted(self, turn: Turn) -> list[str]:
        return turn.messages if self._redact is None else [self._redact(message) for message in turn.messages]

    def _value(self, messages: list[str]) -> str:
        return "\n".join(self._options.bubble_prefix + message for message in messages)

    def _choose(self, session: Session, turns: list[Utterance], held_out: frozenset[int]) -> None:
        """Train not on turns that are held out in another session, and not on every boring reply."""
        for index, turn in enumerate(turns):
            if not turn.train:
                continue
            if index in held_out:
                reason = "near-duplicates of held-out turns"
            elif not self._short.trains(session, index):
                reason = "short replies (--keep-short)"
            else:
                continue
            turn.train = False
            self.tally.untrained[reason] += len(session.turns[index].messages)

    def _context(self, chat: ChatSpan, session: Session) -> list[Utterance]:
        if not self._options.context:
            return []
        names = {self._names[turn.person] for turn in session.turns}
        return [Utterance(SYSTEM, context_turn(names, chat.chat.platform, local_time(session)), False)]

    def _count(self, draft: _Draft, cut: Cut, costs: list[int]) -> None:
        tally = self.tally
        whole = len(cut.used) == 1 and len(cut.used[0]) == len(draft.turns)
        used = range(len(draft.turns)) if whole else {index for indices in cut.used for index in indices}
        trained = set(cut.trained)
        missed = 0 if whole else sum(turn.train for turn in draft.turns) - len(trained)
        self.too_long += missed
        if used:
            tally.session_messages[draft.session.messages] += 1
        reason = "turns that do not fit" if missed else "what follows the last trained turn of a window"
        if not cut.windows and not missed:
            reason = "sessions with nothing to train"
        month = month_of(draft.session.start_ms)
        for index, (turn, lines) in enumerate(zip(draft.turns, draft.texts, strict=True)):
            if index not in used:
                tally.dropped[reason] += len(lines)
                continue
            tally.kept += len(lines)
            tally.add_turn(turn.speaker, month, lines)
            if index not in trained:
                continue
            persona = tally.personas[turn.speaker]
            if draft.is_eval:
                persona.evaluated += len(lines)
            else:
                persona.trained += len(lines)
                persona.turns += 1
                persona.platforms[draft.chat.chat.platform] += 1
                # The loss falls on the body and the closing mark.
                persona.tokens += costs[index] - self._cost(render_turn(turn.speaker, "")) + 1


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
