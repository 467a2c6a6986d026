"""Writes the drafts of one set: cut to length, one line each, and counted; by another process where that pays."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import islice
from pathlib import Path

import msgspec

from persona.context import context_turn
from persona.paths import make_private_dir
from persona.template import render_turn
from train.apart import Apart, Channel, is_worth_it
from train.conversations import Cut, Utterance, cut_to_fit, rendered
from train.dataset.canaries import Canary, new_canaries
from train.dataset.drafting import Draft
from train.dataset.formats import SYSTEM, encoder
from train.dataset.options import Options
from train.dataset.tally import Example, Tally, month_of
from train.dataset.tokens import TokenCounter
from train.private_files import cannot_write, open_private

TRAIN, EVAL = "train.jsonl", "eval.jsonl"
FILES = (TRAIN, EVAL)

LEAST_APART = 150_000
"""Messages in a set from which on another process writes it: it takes half a second to start."""
_TURNS_AT_ONCE = 8192


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


class Plan(msgspec.Struct):
    """What the lines of a set depend on, besides its sessions."""

    folder: Path
    names: dict[int, str]
    """Everybody's speaker name."""
    voices: frozenset[int]
    """Who is trained."""
    options: Options
    counter: TokenCounter


class Lines(msgspec.Struct):
    """What became of the drafts of a set."""

    tally: Tally
    sums: dict[str, str]
    """The SHA-256 of each file."""
    too_long: int
    """Trained turns that did not fit."""
    canaries: list[Canary]
    """The secrets that were planted."""


def write_lines(plan: Plan, drafts: Iterable[Draft], messages: int) -> Lines:
    """Write both files of a set, whole or not at all, and count what is in them.

    `messages` is about how many there are: with many, another process writes while this one makes the drafts. Raises
    UserError where a file cannot be written.
    """
    make_private_dir(plan.folder)
    batches = _batches(drafts)
    if not is_worth_it(messages, LEAST_APART):
        return _LineWriter(plan).write(batches)
    encode = msgspec.msgpack.Encoder().encode
    with Apart(_write_apart, plan) as other:
        for batch in batches:
            other.send(encode(batch))
        lines: Lines = other.result()
    return lines


def _write_apart(channel: Channel, plan: Plan) -> Lines:
    decode = msgspec.msgpack.Decoder(list[Draft]).decode
    return _LineWriter(plan).write(map(decode, iter(channel.receive, None)))


def _batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """Yield many drafts at once, so that tokens are counted for many."""
    batch: list[Draft] = []
    turns = 0
    for draft in drafts:
        batch.append(draft)
        turns += len(draft.persons)
        if turns >= _TURNS_AT_ONCE:
            yield batch
            batch, turns = [], 0
    yield batch


class _LineWriter:
    """Writes the lines of one set and counts what is in them."""

    def __init__(self, plan: Plan) -> None:
        self._names, self._counter, self._options = plan.names, plan.counter, plan.options
        self._folder = plan.folder
        self.tally = Tally([plan.names[one] for one in sorted(plan.voices)], plan.options.seed)
        self.too_long = 0
        self.canaries: list[Canary] = []
        self._encode = encoder(plan.options.format, self.tally.personas)
        self._limit = plan.options.pack or plan.options.max_tokens
        self._cost = lru_cache(4096)(lambda text: self._counter.count([text])[0])
        self._opening = _Openings(plan.counter)

    def write(self, batches: Iterable[Sequence[Draft]]) -> Lines:
        unfinished = {name: self._folder / f"{name}.part" for name in FILES}
        sums = {name: hashlib.sha256() for name in FILES}
        try:
            with ExitStack() as stack:
                files = {name: stack.enter_context(open_private(path)) for name, path in unfinished.items()}
                for batch in batches:
                    for name, lines in zip(FILES, self._lines(batch), strict=True):
                        sums[name].update(lines)
                        files[name].write(lines)
                for line in self._planted():
                    sums[TRAIN].update(line)
                    files[TRAIN].write(line)
            for name, path in unfinished.items():
                path.replace(self._folder / name)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        finally:
            for path in unfinished.values():
                path.unlink(missing_ok=True)
        digests = {name: digest.hexdigest() for name, digest in sums.items()}
        return Lines(self.tally, digests, self.too_long, self.canaries)

    def _lines(self, drafts: Sequence[Draft]) -> tuple[bytes, bytes]:
        """Return the lines of drafts: those to train on, and those held out."""
        parts = [self._turns(draft) for draft in drafts]
        costs = iter(self._counter.count([rendered(turn) for turns in parts for turn in turns]))
        tally = self.tally
        train: list[bytes] = []
        held_out: list[bytes] = []
        for draft, turns in zip(drafts, parts, strict=True):
            own = list(islice(costs, len(turns)))
            context = self._context(draft)
            spent = sum([self._cost(rendered(turn)) for turn in context])
            room = max(self._limit - spent, 1) if self._limit else 0
            cut = cut_to_fit(turns, room, self._counter.count, self._options.overlap, own)
            self._count(draft, turns, cut, own)
            part, lines = ("eval", held_out) if draft.is_eval else ("train", train)
            for window, tokens in zip(cut.windows, cut.tokens, strict=True):
                line = [*context, *window]
                if not draft.is_eval:
                    tally.line_tokens[tokens + spent] += 1
                    tally.add_example(Example(draft.platform, draft.start_ms, draft.offset_min, line))
                tally.lines[part] += 1
                tally.tokens[part] += tokens + spent
                lines.append(self._encode(line))
        return b"".join(train), b"".join(held_out)

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

    def _turns(self, draft: Draft) -> list[Utterance]:
        speakers = [self._names[person] for person in draft.persons]
        return list(map(Utterance, speakers, map(self._value, draft.texts), draft.trained))

    def _value(self, messages: list[str]) -> str:
        prefix = self._options.bubble_prefix
        if not prefix:
            return "\n".join(messages)
        return "\n".join([prefix + message for message in messages])

    def _context(self, draft: Draft) -> list[Utterance]:
        if not self._options.context:
            return []
        names = {self._names[person] for person in draft.persons}
        local = local_time(draft.start_ms, draft.offset_min)
        return [Utterance(SYSTEM, context_turn(names, draft.platform, local), False)]

    def _count(self, draft: Draft, turns: list[Utterance], cut: Cut, costs: list[int]) -> None:
        tally = self.tally
        whole = len(cut.used) == 1 and len(cut.used[0]) == len(turns)
        used = range(len(turns)) if whole else {index for indices in cut.used for index in indices}
        trained = set(cut.trained)
        missed = 0 if whole else sum(turn.train for turn in turns) - len(trained)
        self.too_long += missed
        if used:
            tally.session_messages[draft.messages] += 1
        if not whole:
            reason = "turns that do not fit" if missed else "what follows the last trained turn of a window"
            if not cut.windows and not missed:
                reason = "sessions with nothing to train"
            left = sum(len(lines) for index, lines in enumerate(draft.texts) if index not in used)
            if left:
                tally.dropped[reason] += left
        month = month_of(draft.start_ms)
        for index in used if whole else sorted(used):
            tally.add_turn(turns[index].speaker, month, draft.texts[index])
        for index in cut.trained:
            persona, messages = tally.personas[turns[index].speaker], len(draft.texts[index])
            if draft.is_eval:
                persona.evaluated += messages
            else:
                persona.trained += messages
                persona.turns += 1
                persona.platforms[draft.platform] += 1
                # The loss falls on the body and the closing mark.
                persona.tokens += costs[index] - self._opening[persona.speaker] + 1


class _Openings(dict[str, int]):
    """The tokens that a turn of each speaker takes besides its messages, counted when first asked for."""

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    def __missing__(self, speaker: str) -> int:
        self[speaker] = tokens = self._counter.count([render_turn(speaker, "")])[0]
        return tokens


def local_time(start_ms: int, offset_min: int | None) -> datetime | None:
    """Return when a session began by the clock of whoever wrote first; None where that is not known.

    Not by this machine's clock: the same messages give the same set everywhere.
    """
    try:
        if offset_min is None:
            return None
        return datetime.fromtimestamp(start_ms / 1000, timezone(timedelta(minutes=offset_min)))
    except (ValueError, OverflowError, OSError):
        return None
