"""Makes datasets from the message store: the whole way, in two passes over the history.

The first pass reads every chat once, cleans it, cuts it into sessions and keeps them on disk (`spool`). Then it is
known who has enough messages, what is held out and who speaks in which set, and the second pass writes each set.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from persona.context import context_turn
from persona.errors import UserError
from persona.names import slug
from persona.template import render_turn
from train.dataset.canaries import write_canaries
from train.dataset.card import write_card
from train.dataset.drafting import Drafter
from train.dataset.near_duplicates import HeldOut
from train.dataset.options import Options, Progress, check
from train.dataset.packing import packed
from train.dataset.reading import ChatRow, Reader
from train.dataset.report import write_report
from train.dataset.rows import rows_in_order, sort_in
from train.dataset.short_replies import ShortReplies
from train.dataset.spool import Spool
from train.dataset.tokens import ESTIMATE, TokenCounter
from train.dataset.writing import FILES, Plan, Written, write_lines
from train.people import Person, people, person_named
from train.redaction import RedactionKey, Redactor, known_people, open_key
from train.sessions import Said, Session, sessions_in_order
from train.store import Store

FOLDER = "dataset"


def write_dataset(
    store: Store,
    folder: Path,
    options: Options,
    *,
    counter: TokenCounter = ESTIMATE,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Written]:
    """Write `train.jsonl`, `eval.jsonl`, `card.json` and `report.html` to `folder` and return what was written.

    With `one_each`, each persona gets a set of its own in a subfolder named by its slug. `progress` is told of
    the reading and of each set. Raises UserError for an empty store, an unknown or missing persona, nobody above the
    threshold, an impossible option, and for a set that is there already unless `force`.
    """
    check(options)
    with _few_collections():
        return _written(store, folder, options, counter, force, progress)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the garbage collector look for cycles more seldom: there are none in millions of lists of messages."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _written(
    store: Store, folder: Path, options: Options, counter: TokenCounter, force: bool, progress: Progress | None
) -> list[Written]:
    if not store.count():
        raise UserError("The message store is empty.", "Read an export first: greenroom import PATH.")
    known = people(store.db)
    # What cannot be done is said before the work, as far as it can be known then.
    named = [person_named(known, name) for name in options.personas]
    # With a set for each persona, what is in `folder` itself is nobody's concern.
    _check_free([folder], force or options.one_each)
    names = {person.id: person.speaker for person in known}
    # Sorting a long chat may take a file; it lies in the private folder, where the store is.
    store.commit()
    sort_in(store.db, store.path.parent)
    with closing(Spool(store.path.parent)) as spool:
        reader = Reader(store, options, progress)
        _first_pass(reader, spool, options, counter, names)
        chosen, warnings = _chosen(known, named, reader.said, options)
        sets = {folder: chosen}
        if options.one_each:
            sets = {folder / one_slug: [person] for one_slug, person in _slugs(chosen).items()}
            _check_free(sets, force)
        return [
            _write_set(place, those, reader, spool, options, counter, known, warnings, progress)
            for place, those in sets.items()
        ]


def _first_pass(reader: Reader, spool: Spool, options: Options, counter: TokenCounter, names: dict[int, str]) -> None:
    if options.pack:
        cut = _packer(options, counter, names)
    else:

        def cut(chat: ChatRow, said: Iterable[Said]) -> Iterator[Session]:
            return sessions_in_order(chat.id, said, options.gap_s)

    chats = list(reader.chats())
    with rows_in_order(reader.store, [chat.id for chat in chats], reader.total) as blocks:
        for chat in chats:
            sessions = cut(chat, reader.said_in(chat, blocks(chat.id)))
            if chat.has_topics:
                # They come in the order they ended, and those of several topics overlap.
                sessions = iter(sorted(sessions, key=lambda session: session.start_ms))
            spool.add(chat, sessions, options.eval_share)


def _packer(
    options: Options, counter: TokenCounter, names: dict[int, str]
) -> Callable[[ChatRow, Iterable[Said]], Iterator[Session]]:
    def opening(person: int) -> int:
        if person not in costs:
            costs[person] = counter.count([render_turn(names[person], "")])[0]
        return costs[person]

    def cut(chat: ChatRow, said: Iterable[Said]) -> Iterator[Session]:
        room = options.pack
        if options.context:
            longest = sorted(names.values(), key=len)[-2:]
            room -= counter.count([render_turn("system", context_turn(longest, chat.platform) + " · Wednesday 23h")])[0]
        return packed(chat.id, said, room, counter, opening, options.bubble_prefix)

    costs: dict[int, int] = {}
    return cut


def _chosen(
    known: list[Person], named: list[Person], said: Counter[int], options: Options
) -> tuple[list[Person], list[str]]:
    if not named:
        chosen = [person for person in known if said[person.id] >= options.min_messages and person.has_name]
        chosen = [person for person in chosen if said[person.id] and not person.excluded]
        if chosen:
            return chosen, []
        most = max(known, key=lambda person: said[person.id], default=None)
        best = f" {most.speaker!r} comes nearest with {said[most.id]:,}." if most and said[most.id] else ""
        raise UserError(
            f"Nobody has {options.min_messages:,} messages in these chats.{best}",
            "Lower --min-messages, or name somebody with --persona.",
        )
    chosen = list({person.id: person for person in named}.values())
    for person in chosen:
        if person.excluded:
            raise UserError(
                f"{person.speaker!r} is excluded from datasets.", "Let them in again: greenroom people include NAME."
            )
        if not said[person.id]:
            raise UserError(
                f"{person.speaker!r} has no messages in these chats.", "Try --chats both, or choose another persona."
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


def _check_free(folders: Iterable[Path], force: bool) -> None:
    for folder in folders:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise UserError(f"{there} is a file, not a folder.", "Choose another with --out.")
        if force:
            continue
        for name in FILES:
            if (folder / name).exists():
                raise UserError(f"There is a dataset in {folder} already.", "Use --force to replace it.")


class _Survey(msgspec.Struct):
    """What has to be known of a whole set before its first line is written."""

    speakers: set[int]
    held_out: HeldOut
    short: ShortReplies


def _surveyed(spool: Spool, voices: frozenset[int], options: Options) -> _Survey:
    survey = _Survey(spool.speakers(voices), HeldOut(), ShortReplies(options.keep_short, options.seed))
    for _, session, is_eval in spool.read(voices, only_eval=options.keep_short >= 1):
        if len(session.turns) < 2:
            continue
        survey.short.learn(session, voices)
        if is_eval:
            survey.held_out.add(session)
    return survey


def _write_set(
    folder: Path,
    chosen: list[Person],
    reader: Reader,
    spool: Spool,
    options: Options,
    counter: TokenCounter,
    known: list[Person],
    warnings: list[str],
    progress: Progress | None,
) -> Written:
    voices = frozenset(person.id for person in chosen)
    survey = _surveyed(spool, voices, options)
    names = {person.id: person.speaker for person in known}
    key = open_key(reader.store.path.parent) if options.redact else None
    redactor = _redactor(reader.store, key, survey.speakers) if key is not None else None
    drafter = Drafter(
        voices,
        options,
        held_out=survey.held_out,
        short=survey.short,
        redact=redactor.redact if redactor is not None else None,
    )
    drafts = drafter.drafts(spool, progress, f"writing {folder.name}")
    lines = write_lines(Plan(folder, names, voices, options, counter), drafts, spool.messages_with(voices))
    write_canaries(folder, lines.canaries)
    tally = lines.tally
    for dropped in (reader.dropped, drafter.dropped):
        tally.dropped.update(dropped)
    tally.untrained.update(drafter.untrained)
    if key is not None and redactor is not None:
        # Before the card: a set without the key to it could not be made again.
        key.save()
        tally.redacted.update(redactor.counts)
    personas = tally.personas.values()
    written = Written(
        folder,
        tally.lines["train"],
        tally.lines["eval"],
        {one.speaker: one.trained for one in personas},
        {one.speaker: one.evaluated for one in personas},
        lines.too_long,
        dict(tally.dropped),
        dict(tally.redacted),
        list(warnings),
    )
    if not written.train_lines:
        written.warnings.append("The training set is empty: nobody answered anybody within the gap.")
    if options.eval_share and not written.eval_lines:
        written.warnings.append("The evaluation set is empty: no chat has a session small enough to hold out.")
    write_card(
        folder,
        options,
        tally,
        lines.sums,
        store_sha256=reader.sha256,
        counter=counter,
        names=names,
        redaction_key=_fingerprint(key) if key is not None else None,
    )
    write_report(folder, options, tally, counter=counter)
    return written


def _redactor(store: Store, key: RedactionKey, speakers: set[int]) -> Redactor:
    """Return what hides everybody who does not speak in a set, and what is nobody's business anywhere."""
    everybody = known_people(store.db)
    return Redactor(
        key,
        hidden=[person for person in everybody if person.excluded or person.person not in speakers],
        shown=[person for person in everybody if not person.excluded and person.person in speakers],
        forgotten=store.forgotten.has_name,
    )


def _fingerprint(key: RedactionKey) -> str:
    """Return what tells one key from another and gives neither away."""
    draws = key.draws("fingerprint", "")
    return "".join(f"{draws.below(256):02x}" for _ in range(8))
