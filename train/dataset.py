"""Writes the training and evaluation sets: sessions as JSONL that axolotl's `chat_template` type reads.

Each line is `{"conversations": [{"from": speaker, "value": lines, "train": bool}, …]}`. The turns of the
chosen personas are trained, all others are what they answer to. The same store and options give the same
bytes.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from persona.errors import UserError
from persona.names import slug
from persona.paths import PRIVATE_FILE_MODE, make_private_dir
from train.conversations import Conversation, CountTokens, Utterance, cut_to_fit
from train.messages import ChatKind
from train.people import Person, people, person_named
from train.sessions import DEFAULT_GAP_S, Session, sessions_of
from train.store import Store

FOLDER = "dataset"
CARD_FORMAT = 1
_FILES = ("train.jsonl", "eval.jsonl")


class Options(msgspec.Struct, frozen=True):
    """Everything that decides what a dataset holds."""

    personas: tuple[str, ...] = ()
    """Speakers to train; empty means everybody with `min_messages`."""
    one_each: bool = False
    gap_s: float = DEFAULT_GAP_S
    chats: Literal["personal", "group", "both"] = "both"
    media: Literal["keep", "drop"] = "keep"
    min_messages: int = 1000
    max_tokens: int | None = None
    eval_share: float = 0.1
    bubble_prefix: str = ""


class Written(msgspec.Struct):
    """What became of one set: where it lies, its lines, and messages trained on by speaker."""

    folder: Path
    train_lines: int
    eval_lines: int
    trained: dict[str, int]
    evaluated: dict[str, int]
    too_long: int
    warnings: list[str]


class _Split(msgspec.Struct):
    train: list[Session]
    eval: list[Session]


def write_dataset(
    store: Store,
    folder: Path,
    options: Options,
    *,
    count_tokens: CountTokens | None = None,
    force: bool = False,
) -> list[Written]:
    """Write `train.jsonl`, `eval.jsonl` and `card.json` to `folder` and return what was written.

    With `one_each`, each persona gets a set of its own in a subfolder named by its slug. Raises UserError for
    an empty store, an unknown or missing persona, nobody above the threshold, an impossible option, and for
    a set that is there already unless `force`.
    """
    _check(options)
    if not store.count():
        raise UserError("The message store is empty.", "Read an export first: greenroom import PATH.")
    kinds = {"personal": {ChatKind.PERSONAL}, "group": {ChatKind.GROUP}}.get(
        options.chats, {ChatKind.PERSONAL, ChatKind.GROUP}
    )
    chats = list(sessions_of(store, kinds=frozenset(kinds), gap_s=options.gap_s, keep_media=options.media == "keep"))
    known = people(store.db)
    said = Counter[int]()
    for sessions in chats:
        for session in sessions:
            for turn in session.turns:
                said[turn.person] += len(turn.messages)
    chosen, warnings = _chosen(known, said, options)
    sets = {folder: chosen}
    if options.one_each:
        sets = {folder / one_slug: [person] for one_slug, person in _slugs(chosen).items()}
    for place in sets:
        _check_free(place, force)
    split = [_split(sessions, options.eval_share) for sessions in chats]
    names = {person.id: person.speaker for person in known}
    return [_write_set(place, split, names, those, options, count_tokens, warnings) for place, those in sets.items()]


def _check(options: Options) -> None:
    if not 0 <= options.eval_share < 1:
        raise UserError(f"--eval-share {options.eval_share} is not a share.", "Use 0 or more, and less than 1.")
    if options.gap_s <= 0:
        raise UserError("--gap must be more than 0 minutes.", "The default is 10.")
    if options.max_tokens is not None and options.max_tokens < 16:
        raise UserError(f"--max-tokens {options.max_tokens} leaves no room for a turn.", "Use 16 or more.")


def _chosen(known: list[Person], said: Counter[int], options: Options) -> tuple[list[Person], list[str]]:
    if not options.personas:
        chosen = [person for person in known if said[person.id] >= options.min_messages and person.has_name]
        if chosen:
            return chosen, []
        most = max(known, key=lambda person: said[person.id], default=None)
        best = f" {most.speaker!r} comes nearest with {said[most.id]:,}." if most else ""
        raise UserError(
            f"Nobody has {options.min_messages:,} messages in these chats.{best}",
            "Lower --min-messages, or name somebody with --persona.",
        )
    chosen = list({p.id: p for p in (person_named(known, name) for name in options.personas)}.values())
    silent = [person.speaker for person in chosen if not said[person.id]]
    if silent:
        raise UserError(
            f"{silent[0]!r} has no messages in these chats.", "Try --chats both, or choose another persona."
        )
    warnings = [
        f"{person.speaker!r} has only {said[person.id]:,} messages; {options.min_messages:,} are better."
        for person in chosen
        if said[person.id] < options.min_messages
    ]
    return sorted(chosen, key=lambda person: person.id), warnings


def _slugs(chosen: Sequence[Person]) -> dict[str, Person]:
    """Return a folder name for each persona: its slug, with a number where two are alike."""
    found: dict[str, Person] = {}
    for person in chosen:
        name, number = slug(person.speaker), 2
        while name in found:
            name, number = f"{slug(person.speaker)}-{number}", number + 1
        found[name] = person
    return found


def _check_free(folder: Path, force: bool) -> None:
    if force:
        return
    for name in _FILES:
        if (folder / name).exists():
            raise UserError(f"There is a dataset in {folder} already.", "Use --force to replace it.")


def _split(sessions: list[Session], eval_share: float) -> _Split:
    """Split a chat by time: whole sessions from the newest on, as near to the share as they come.

    The share is of messages, and does not depend on whom a set is for: what is held out for one persona
    is not trained on by another.
    """
    total = sum(session.messages for session in sessions)
    best, best_miss, taken = len(sessions), eval_share * total, 0
    for first in range(len(sessions) - 1, 0, -1):
        taken += sessions[first].messages
        miss = abs(taken - eval_share * total)
        if miss < best_miss:
            best, best_miss = first, miss
    return _Split(sessions[:best], sessions[best:])


def _write_set(
    folder: Path,
    split: list[_Split],
    names: dict[int, str],
    chosen: list[Person],
    options: Options,
    count_tokens: CountTokens | None,
    warnings: list[str],
) -> Written:
    make_private_dir(folder)
    voices = {person.id for person in chosen}
    sums, lines, counts, too_long = {}, [], [], 0
    for name, part in (("train.jsonl", [s.train for s in split]), ("eval.jsonl", [s.eval for s in split])):
        writer = _Writer(names, voices, options, count_tokens)
        sums[name] = _write_private(folder / name, (line for sessions in part for line in writer.lines(sessions)))
        lines.append(writer.written)
        counts.append({names[one]: writer.trained[one] for one in sorted(voices)})
        too_long += writer.too_long
    written = Written(folder, lines[0], lines[1], counts[0], counts[1], too_long, list(warnings))
    if not lines[0]:
        written.warnings.append("The training set is empty: nobody answered anybody within the gap.")
    if options.eval_share and not lines[1]:
        written.warnings.append("The evaluation set is empty: no chat has a session small enough to hold out.")
    _write_card(folder, options, written, sums)
    return written


def _write_card(folder: Path, options: Options, written: Written, sums: dict[str, str]) -> None:
    card: dict[str, Any] = {
        "format": CARD_FORMAT,
        "options": msgspec.to_builtins(options),
        "speakers": sorted(written.trained),
        "lines": {"train": written.train_lines, "eval": written.eval_lines},
        "messages": {"train": written.trained, "eval": written.evaluated},
        "turns_too_long": written.too_long,
        "sha256": sums,
    }
    text = msgspec.json.format(msgspec.json.encode(card, order="sorted"), indent=2)
    _write_private(folder / "card.json", iter([text + b"\n"]))


def _write_private(path: Path, lines: Iterator[bytes]) -> str:
    """Write a file that only its owner reads, whole or not at all, and return its SHA-256."""
    digest = hashlib.sha256()
    draft = path.with_name(path.name + ".part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE_MODE)
        with open(handle, "wb") as stream:
            os.fchmod(handle, PRIVATE_FILE_MODE)
            for line in lines:
                digest.update(line)
                stream.write(line)
        draft.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Look at the folder.") from error
    return digest.hexdigest()


class _Writer:
    """Makes the lines of one file, and counts what is in them."""

    def __init__(
        self, names: dict[int, str], voices: set[int], options: Options, count_tokens: CountTokens | None
    ) -> None:
        self.names = names
        self.voices = voices
        self.options = options
        self.count_tokens = count_tokens
        self.written = 0
        self.too_long = 0
        self.trained = Counter[int]()

    def lines(self, sessions: list[Session]) -> Iterator[bytes]:
        for session in sessions:
            for conversation in self._conversations(session):
                self.written += 1
                yield msgspec.json.encode(Conversation(conversation)) + b"\n"

    def _conversations(self, session: Session) -> Iterator[list[Utterance]]:
        if not any(turn.person in self.voices for turn in session.turns[1:]):
            return
        turns = [
            Utterance(self.names[turn.person], self._value(turn.messages), turn.person in self.voices)
            for turn in session.turns
        ]
        # The first turn answers nothing.
        turns[0].train = False
        if self.options.max_tokens is None or self.count_tokens is None:
            yield turns
            kept = [index for index, turn in enumerate(turns) if turn.train]
        else:
            cut = cut_to_fit(turns, self.options.max_tokens, self.count_tokens)
            yield from cut.windows
            kept = cut.trained
            self.too_long += sum(turn.train for turn in turns) - len(kept)
        for index in kept:
            self.trained[session.turns[index].person] += len(session.turns[index].messages)

    def _value(self, messages: list[str]) -> str:
        return "\n".join(self.options.bubble_prefix + message for message in messages)


def estimated_tokens(text: str) -> int:
    """Return a number of tokens that real tokenizers seldom exceed: one for each three bytes of UTF-8.

    English takes about four bytes a token and most other scripts more than three; emoji can take more tokens
    than this says, so leave a little room below the model's limit.
    """
    return -(-len(text.encode()) // 3)


def exact_counter(tokenizer: Path) -> Callable[[str], int]:
    """Return a counter that uses a `tokenizer.json`; a UserError when it, or the library, is not there."""
    try:
        from tokenizers import Tokenizer  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise UserError(
            "--tokenizer needs the library `tokenizers`, which is not installed here.",
            "Install it (pip install tokenizers), or leave --tokenizer out for an estimate.",
        ) from None
    try:
        loaded = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises a bare Exception
        raise UserError(f"{tokenizer} is not a tokenizer file: {error}.", "Give a tokenizer.json.") from error
    return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)
