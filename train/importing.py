"""Reads exports into the message store: finds the files, streams them in batches, keeps the ledger.

Whatever is in a file ends up either kept (new, updated or known already) or dropped with a reason and a
place, so kept + dropped is the number of records. A torn export keeps everything before the tear.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError, children, is_archive, is_attachment, open_archive, passed_over
from train.messages import Account, Chat, Drop, Folded, Message, Note, Owner, Reading, Record, Source, Tear
from train.people import owner_names, set_owner_account
from train.reading_apart import read_apart
from train.sources import source_named, source_of, sources
from train.store import Store

BATCH = 5_000
"""Messages of one chat handed to SQLite at once."""
LONG_TEXT_BITS = 10
"""A text counts as one more message for each 1,024 characters, so that a batch of long ones stays small."""
_CALENDAR_MS = (-62_135_596_800_000, 253_402_300_800_000)
"""The years 1 to 9999: beyond them is no date that anything else can show."""
_INTEGERS = 1 << 63
COMMIT_EVERY = 50_000
"""Records between two commits: the most that a killed import has to read into the store again."""


class ChatTally(msgspec.Struct):
    """What became of one chat's records."""

    platform: str
    name: str
    messages: int = 0
    added: int = 0
    updated: int = 0
    folded: Counter[str] = msgspec.field(default_factory=Counter)
    dropped: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def kept(self) -> int:
        """Records that are in the store now: messages, and what was folded into them."""
        return self.messages + self.folded.total()


class Report(msgspec.Struct):
    """What an import of one export did; `tear`: where it breaks off, if it does; `error`: why it was not read."""

    path: ExportPath
    source: str
    chats: dict[str, ChatTally] = msgspec.field(default_factory=dict)
    tear: Tear | None = None
    error: UserError | None = None
    notes: list[str] = msgspec.field(default_factory=list)
    seconds: float = 0.0

    @property
    def kept(self) -> int:
        """Records that are in the store now, new or not: messages, and what was folded into them."""
        return sum(chat.kept for chat in self.chats.values())

    @property
    def folded(self) -> int:
        """Records that are kept as a part of a message: reactions, edits."""
        return sum(chat.folded.total() for chat in self.chats.values())

    @property
    def dropped(self) -> int:
        """Records that were left out."""
        return sum(chat.dropped.total() for chat in self.chats.values())

    @property
    def added(self) -> int:
        """Messages the store did not have."""
        return sum(chat.added for chat in self.chats.values())

    @property
    def updated(self) -> int:
        """Messages the store had differently."""
        return sum(chat.updated for chat in self.chats.values())

    def totals(self) -> Counter[str]:
        """Return the counts by name."""
        return Counter(kept=self.kept, folded=self.folded, dropped=self.dropped, added=self.added, updated=self.updated)


def check_zone(timezone: str | None) -> None:
    """Raise a UserError when `timezone` is no zone of the IANA database; None is this machine's."""
    if timezone is None:
        return
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(f"There is no time zone {timezone!r}.", "Write it like Europe/Berlin.") from None


def find_exports(path: Path, source: Source | None = None) -> list[tuple[ExportPath, Source]]:
    """Return the exports at `path` (a file, an archive, or a folder searched to any depth) with their formats.

    With `source`, that format reads `path` whatever it looks like. Links inside folders are not followed. Raises
    UserError when there is nothing to read, or nothing that any format knows.
    """
    if not path.exists():
        raise UserError(f"There is nothing at {path}.", "Look at the path.")
    if not path.is_file() and not path.is_dir():
        raise UserError(f"{path} is neither a file nor a folder.", "Look at the path.")
    try:
        root = open_archive(path) if is_archive(path) else path
        found = list(_claimed(root, source))
        if not found and source is not None and root.is_file():
            found = [(root, source)]
    except OSError as error:
        raise UserError(
            f"{error.filename or path} cannot be read: {error.strerror}.", "Look at its permissions."
        ) from error
    if not found:
        what = (
            f"No chat export was recognised in {path}." if root.is_dir() else f"{path} is no chat export that is known."
        )
        raise UserError(
            " ".join([what, *passed_over(root)]),
            "Name its format with --source: " + ", ".join(sources()) + ".",
        )
    return found


def _claimed(path: ExportPath, source: Source | None) -> Iterator[tuple[ExportPath, Source]]:
    claimed = source_of(path) if source is None else source if source.detect(path) > 0 else None
    if claimed is not None:
        yield path, claimed
    elif path.is_dir():
        for inner in children(path):
            if inner.name.startswith(".") or inner.name == "__MACOSX":
                continue
            if isinstance(inner, Path) and inner.suffix.lower() == ".zip" and is_attachment(inner):
                continue  # chats in what somebody sent are somebody else's
            try:
                opened = open_archive(inner) if is_archive(inner) else inner
            except UserError:
                continue  # somebody's broken download beside the exports is not this import's business
            yield from _claimed(opened, source)


def import_paths(
    store: Store,
    paths: Iterable[Path],
    *,
    source: str | None = None,
    reading: Reading | None = None,
    on_start: Callable[[ExportPath, Source], None] = lambda path, source: None,
) -> list[Report]:
    """Read every export at `paths` into the store, and return a report for each.

    All paths are looked at before the first one is read, so a mistyped path changes nothing. An export that cannot
    be read does not keep the others from being read: its report holds the error.
    """
    reading = reading or Reading()
    chosen = source_named(source) if source else None
    found: list[tuple[ExportPath, Source, list[str]]] = []
    for given in paths:
        exports = find_exports(given, chosen)
        # What was passed over on the way is told once, with the first.
        notes = passed_over(open_archive(given) if is_archive(given) else given)
        found += [(path, one, [] if number else notes) for number, (path, one) in enumerate(exports)]
    reports = []
    for path, one, notes in found:
        on_start(path, one)
        known = msgspec.structs.replace(
            reading, known_owners=owner_names(store.db), scratch=store.path.parent / "cache"
        )
        reports.append(import_file(store, path, one, known, notes))
    return reports


def import_file(store: Store, path: ExportPath, source: Source, reading: Reading, notes: Iterable[str] = ()) -> Report:
    """Read one export into the store, and return what became of it, errors of the file included."""
    started = time.monotonic()
    report = Report(path, source.name, notes=list(notes))
    try:
        import_id = store.start_import(path, source.name, time.time())
    except OSError as error:
        report.error = UserError(f"{path} cannot be read: {error.strerror or error}.", "Look at the file.")
    else:
        _Import(store, import_id, report).run(read_apart(source, path, reading))
    report.seconds = time.monotonic() - started
    return report


class _Import:
    """Carries the records of one export into the store."""

    def __init__(self, store: Store, import_id: int, report: Report) -> None:
        self.store = store
        self.import_id = import_id
        self.report = report
        self.batch: list[Message] = []
        self.drops: list[Drop] = []
        self.since_commit = 0
        self.names: dict[str, str] = {}
        self.owner_known = False

    def run(self, records: Iterator[Record]) -> None:
        report = self.report
        broken: str | None = None
        try:
            self._take(records)
        except TornFileError as error:
            report.tear = Tear("what was read last", str(error))
        except UserError as error:
            report.error = error
        except OSError as error:
            report.error = UserError(f"{report.path} cannot be read: {error.strerror or error}.", "Look at the file.")
        self._flush()
        if report.tear is not None:
            broken = f"{report.tear.place}: {report.tear.detail}"
        elif report.error is not None:
            broken = str(report.error)
        self.store.note_import(self.import_id, report.totals(), "torn" if broken else "whole", broken)
        self.store.commit()

    def _take(self, records: Iterator[Record]) -> None:
        batch = self.batch
        hold = batch.append
        chat_id: str | None = None
        room = BATCH
        for record in records:
            if type(record) is Message:
                if room <= 0 or record.chat_id != chat_id:
                    self._flush()
                    chat_id = record.chat_id
                    room = BATCH
                hold(record)
                room -= 1 + (len(record.text) >> LONG_TEXT_BITS)
                if not self.owner_known and record.is_owner:
                    self._owner(record.platform, record.sender_id or "", record.sender_name)
            elif type(record) is list:
                self._flush()
                self._store(record)
            else:
                self._other(record)
                room = BATCH - len(batch)

    def _other(self, record: Record) -> None:
        match record:
            case Chat():
                self._flush()
                if self.store.forgotten.has_chat(record.platform, record.id):
                    return
                self.store.note_chat(record)
                self._tally(record.platform, record.id, record.name or record.kind)
            case Drop():
                self.drops.append(record)
                self._tally("", record.chat_id or "").dropped[record.reason] += 1
                if len(self.drops) >= BATCH:
                    self._flush()
            case Folded(what=what):
                self._tally("", record.chat_id or "").folded[what] += 1
            case Account():
                if not self.store.forgotten.has_account(record.platform, record.id):
                    self.store.note_account(record)
            case Owner(platform=platform, account_id=account, name=name):
                self._owner(platform, account, name)
            case Note(text=text):
                self.report.notes.append(text)
            case Tear():
                self.report.tear = record

    def _owner(self, platform: str, account: str, name: str | None) -> None:
        if self.store.forgotten.has_account(platform, account):
            return
        set_owner_account(self.store.db, self.store.account_id(platform, account, name))
        self.owner_known = True

    def _tally(self, platform: str, chat: str, name: str | None = None) -> ChatTally:
        tally = self.report.chats.setdefault(chat, ChatTally(platform, name or chat))
        if name:
            tally.name = name
        return tally

    def _flush(self) -> None:
        if self.batch:
            self._store(self.batch)
            self.batch.clear()
        # After the messages: storing them adds the drops of those that are forgotten.
        if self.drops:
            self.store.add_drops(self.import_id, self.drops)
            self.since_commit += len(self.drops)
            self.drops.clear()

    def _storable(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the messages that a store can hold; what has numbers of no calendar or of no computer is dropped."""
        times = [message.time_ms for message in messages]
        numbers = [message.id for message in messages if type(message.id) is int]
        numbers += [message.reply_to for message in messages if type(message.reply_to) is int]
        early, late = _CALENDAR_MS
        if (
            early <= min(times)
            and max(times) < late
            and (not numbers or -_INTEGERS <= min(numbers) <= max(numbers) < _INTEGERS)
        ):
            return messages
        kept = []
        for message in messages:
            if not early <= message.time_ms < late:
                reason = "no readable date"
            elif isinstance(message.id, int) and not -_INTEGERS <= message.id < _INTEGERS:
                reason = "a number too large"
            else:
                if isinstance(message.reply_to, int) and not -_INTEGERS <= message.reply_to < _INTEGERS:
                    message.reply_to = None
                kept.append(message)
                continue
            self.drops.append(Drop(reason, f"message {message.id}", message.chat_id))
            self._tally(message.platform, message.chat_id).dropped[reason] += 1
        return kept

    def _store(self, messages: Sequence[Message]) -> None:
        platform, chat = (messages[0].platform, messages[0].chat_id) if messages else ("", "")
        left, forgotten = self.store.forgotten.part(messages)
        if forgotten:
            self.drops += forgotten
            self._tally(platform, forgotten[0].chat_id or "").dropped["forgotten"] += len(forgotten)
        if not left:
            return
        messages = self._storable(left)
        added, updated = self.store.add_messages(messages, self.import_id)
        tally = self._tally(platform, chat)
        tally.messages += len(messages)
        tally.added += added
        tally.updated += updated
        self.since_commit += len(messages)
        if self.since_commit >= COMMIT_EVERY:
            self.store.note_import(self.import_id, self.report.totals(), "running")
            self.store.commit()
            self.since_commit = 0
