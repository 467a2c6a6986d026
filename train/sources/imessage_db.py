"""iMessage and SMS of a Mac or an iPhone: `chat.db`, or `sms.db` out of a backup.

The tables are Apple's own and documented nowhere; their columns vary by version, so only those that are there are
asked for. docs/import.md lists the traps and the test that holds each one.
"""

import heapq
import re
import sqlite3
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from train.accounts import handle_of, phone_of
from train.export_databases import columns, open_database, tables
from train.export_files import ExportPath, size_of
from train.messages import Account, Chat, Drop, Folded, Message, Owner, Reading, Record, Tear
from train.sources.imessage_chats import PLATFORM, as_text, chats_of, find_attachments
from train.sources.imessage_rows import COLUMNS, OWNER, Known, Rows
from train.sources.imessage_sentences import Sentence, sentence_of
from train.sources.imessage_tapbacks import Quotable, Tapbacks, is_tapback, react, read_type, target_of

_HELD = 1_000
"""Messages of a chat that are held back, so that a tapback in words finds its message among them."""
_HANDED_ON = 3_000
_HELD_CHARACTERS = 1 << 21
_PROGRESS_ROWS = 2_000


class IMessageDatabase:
    """Reads `chat.db` and `sms.db`."""

    name = "imessage-db"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is that `path` is such a database, by its tables."""
        found = tables(path)
        return 0.95 if {"message", "handle", "chat", "chat_message_join"} <= found else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records chat by chat; what is held grows with the tapbacks and attachments alone.

        Where a page of the file is damaged, a Tear says so, and what lies on other pages is read.
        """
        with open_database(path, reading.scratch) as db:
            yield from _Database(db, path, reading).records()


class _Database:
    def __init__(self, db: sqlite3.Connection, path: ExportPath, reading: Reading) -> None:
        self.db = db
        self.size = size_of(path)
        self.progress = reading.progress
        self.columns = columns(db, "message")
        self.known = Known({}, reading.owner or next(iter(reading.known_owners), None), {}, Tapbacks())
        self.own: list[str] = []
        self.several: set[int] = set()
        self.repeated: set[int] = set()
        self.chats: dict[Chat, list[int]] = {}
        self.bytes_per_row = 0.0

    def records(self) -> Iterator[Record]:
        for what, find in (
            ("message", self._find_size), ("handle", self._find_handles), ("message", self._find_own),
            ("attachment", self._find_attachments), ("message", self._find_tapbacks),
            ("chat_message_join", self._find_several), ("chat", self._find_chats),
            ("chat_message_join", self._find_chats_without_a_row),
        ):  # fmt: skip
            if (tear := _unless_damaged(find, f"table {what}")) is not None:
                yield tear
        yield Owner(PLATFORM, OWNER, self.known.owner_name)
        yield Account(PLATFORM, OWNER, self.known.owner_name, *_numbers(self.own))
        yield from self._accounts()
        for chat, rows in self.chats.items():
            yield chat
            yield from _Conversation(self, chat, rows).records()
        yield from self._left_over()

    def _find_size(self) -> None:
        newest = self.db.execute("SELECT max(ROWID) FROM message").fetchone()[0]
        self.bytes_per_row = self.size / max(1, newest or 1)

    def _find_handles(self) -> None:
        for row, one in self.db.execute("SELECT ROWID, id FROM handle WHERE id != ''"):
            self.known.handles[row] = as_text(one)

    def _find_own(self) -> None:
        for column in ("account", "destination_caller_id"):
            if column in self.columns:
                query = f"SELECT DISTINCT {column} FROM message WHERE is_from_me AND {column} != ''"
                self.own += [re.sub(r"^[EePp]:", "", as_text(row[0])) for row in self.db.execute(query)]

    def _find_attachments(self) -> None:
        find_attachments(self.db, self.known.attachments)

    def _find_tapbacks(self) -> None:
        """Find the reactions to each message: given, and not taken back later."""
        if "associated_message_type" not in self.columns:
            return
        emoji = "associated_message_emoji" if "associated_message_emoji" in self.columns else "NULL"
        rows = self.db.execute(
            f"SELECT associated_message_guid, associated_message_type, {emoji}, is_from_me, handle_id FROM message "
            "WHERE associated_message_type BETWEEN 1000 AND 3999 ORDER BY date, ROWID"
        )
        accounts = {row: handle_of(one) for row, one in self.known.handles.items()}
        for guid, kind, custom, from_me, handle in rows:
            if is_tapback(kind):
                who = OWNER if from_me else accounts.get(handle)
                picture, taken_back = read_type(kind, custom)
                self.known.tapbacks.note(target_of(guid), picture, who, taken_back)
        present = "SELECT 1 FROM message WHERE guid = ?"
        given = self.known.tapbacks.given
        for guid in [one for one in given if self.db.execute(present, [one]).fetchone() is None]:
            del given[guid]

    def _find_several(self) -> None:
        """Find the messages that are in several chats."""
        query = "SELECT message_id FROM chat_message_join GROUP BY message_id HAVING count(*) > 1"
        self.several.update(row[0] for row in self.db.execute(query))

    def _find_chats(self) -> None:
        by_id: dict[str, Chat] = {}
        for row, chat in chats_of(self.db, self.known.handles, {handle_of(one) for one in self.own}):
            self.chats.setdefault(by_id.setdefault(chat.id, chat), []).append(row)

    def _find_chats_without_a_row(self) -> None:
        known = {row for rows in self.chats.values() for row in rows}
        for (row,) in self.db.execute("SELECT DISTINCT chat_id FROM chat_message_join ORDER BY chat_id"):
            if row not in known:
                self.chats[Chat(PLATFORM, f"row-{row}")] = [row]

    def _accounts(self) -> Iterator[Account]:
        """Yield who there is; with them the other numbers and addresses that the phone's contacts have for them."""
        contacts: dict[str, list[str]] = {}
        person_of: dict[str, str] = {}
        handles = self.known.handles
        if "person_centric_id" in columns(self.db, "handle"):
            query = "SELECT ROWID, person_centric_id FROM handle WHERE person_centric_id != ''"
            for row, person in _until_damaged(self.db, query):
                if row in handles:
                    contacts.setdefault(as_text(person), []).append(handles[row])
                    person_of[handles[row]] = as_text(person)
        for one in dict.fromkeys(handles.values()):
            yield Account(PLATFORM, handle_of(one), one, *_numbers(contacts.get(person_of.get(one, ""), [one])))

    def _left_over(self) -> Iterator[Record]:
        """Yield the messages that are in no chat: somebody deleted it, or them."""
        recent: set[int] = set()
        if columns(self.db, "chat_recoverable_message_join"):
            rows = _until_damaged(self.db, "SELECT message_id FROM chat_recoverable_message_join")
            recent.update(row[0] for row in rows)
        query = "SELECT ROWID FROM message WHERE ROWID NOT IN (SELECT message_id FROM chat_message_join)"
        try:
            for (number,) in self.db.execute(query):
                yield Drop("recently deleted" if number in recent else "in no chat", f"message {number}")
        except sqlite3.DatabaseError as error:
            yield Tear("messages in no chat", _damaged(error))


class _Conversation:
    """The messages of one chat, in the order of their rows."""

    def __init__(self, database: _Database, chat: Chat, chat_rows: list[int]) -> None:
        self.database = database
        self.chat = chat
        self.chat_rows = chat_rows
        self.rows = Rows(database.known, chat)
        self.held: list[Message] = []
        self.held_characters = 0
        self.sentences: dict[int, Sentence] = {}
        wanted = [f"m.{name}" if name in database.columns else "NULL" for name in COLUMNS]
        self.select = f"SELECT m.ROWID, {', '.join(wanted)} FROM"

    def records(self) -> Iterator[Record]:
        """Yield the records, messages in lists."""
        several, repeated = self.database.several, self.database.repeated
        read = self.rows.read
        for number, row in enumerate(self._rows(), 1):
            if not isinstance(row, tuple):
                yield row
                continue
            if row[0] in several:
                if row[0] in repeated:
                    continue  # the second place of one row of the file, which is one record
                repeated.add(row[0])
            if number % _PROGRESS_ROWS == 0 and self.database.progress is not None:
                self.database.progress(int(_PROGRESS_ROWS * self.database.bytes_per_row))
            record = read(row)
            if type(record) is not Message:
                yield record
                continue
            self.held.append(record)
            self.held_characters += len(record.text)
            if record.kind == "text" and (sentence := sentence_of(record.text)) is not None:
                self.sentences[record.seq] = sentence
            if len(self.held) >= _HELD + _HANDED_ON or self.held_characters > _HELD_CHARACTERS:
                yield from self._hand_on(_HANDED_ON if self.held_characters <= _HELD_CHARACTERS else len(self.held))
        yield from self._hand_on(len(self.held))

    def _rows(self) -> Iterator[tuple[Any, ...] | Drop | Tear]:
        """Yield the rows of the chat by their numbers; what lies on a damaged page is a Tear and Drops."""
        last = -1
        try:
            # In the order of the join's own index, so that nothing is sorted, and held, before the first row.
            query = (
                f"{self.select} chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id "
                "WHERE j.chat_id = ? ORDER BY j.message_id"
            )
            found = [self.database.db.execute(query, [chat]) for chat in self.chat_rows]
            row: tuple[Any, ...]
            for row in found[0] if len(found) == 1 else heapq.merge(*found, key=itemgetter(0)):
                yield row
                last = row[0]
        except sqlite3.DatabaseError as error:
            yield Tear(f"chat {self.chat.id}", _damaged(error))
            yield from self._one_by_one(last)

    def _one_by_one(self, after: int) -> Iterator[tuple[Any, ...] | Drop]:
        """Yield the rows after a damaged page, each asked for by itself: others on that page cannot be read."""
        db = self.database.db
        numbers: set[int] = set()
        for chat in self.chat_rows:
            query = "SELECT message_id FROM chat_message_join WHERE chat_id = ? AND message_id > ?"
            numbers.update(row[0] for row in _until_damaged(db, query, chat, after))
        for number in sorted(numbers):
            try:
                row = db.execute(f"{self.select} message m WHERE m.ROWID = ?", [number]).fetchone()
            except sqlite3.DatabaseError:
                yield Drop("on a damaged page of the database", f"message {number}", self.chat.id)
                continue
            if row is not None:
                yield row

    def _hand_on(self, count: int) -> Iterator[Record]:
        """Yield the oldest of the messages held back, after the tapbacks in words among them found theirs."""
        if self.sentences:
            yield from self._settle()
        ready, self.held = self.held[:count], self.held[count:]
        self.held_characters = sum(len(one.text) for one in self.held)
        if not self.sentences:
            yield ready
            return
        kept = []
        for message in ready:
            sentence = self.sentences.pop(message.seq, None)
            if sentence is not None and sentence.certain:
                yield Drop("reaction to a message that is not here", f"message {message.seq}", self.chat.id)
            else:
                kept.append(message)
        yield kept

    def _settle(self) -> Iterator[Folded]:
        """Put each tapback in words on the message it quotes. One that quotes nothing that is here is a text."""
        quotable = Quotable(self.held)
        worded = [one for one in self.held if one.seq in self.sentences]
        settled = set()
        # By time, not by row: a newer one takes the place of an older one.
        for message in sorted(worded, key=lambda one: (one.time_ms, one.seq)):
            sentence = self.sentences[message.seq]
            if (target := quotable.target(message, sentence)) is not None:
                react(self.database.known.tapbacks, target, sentence, message.sender_id)
                settled.add(message.seq)
                del self.sentences[message.seq]
                yield Folded("reaction", self.chat.id)
        self.held = [one for one in self.held if one.seq not in settled]


def _unless_damaged(find: Callable[[], None], where: str) -> Tear | None:
    """Find something out as far as it goes. Messages are still read where the database turns out to be damaged."""
    try:
        find()
    except sqlite3.DatabaseError as error:
        return Tear(where, _damaged(error))
    return None


def _until_damaged(db: sqlite3.Connection, query: str, *parameters: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows up to a damaged page: where this is called, another question to the same table tells of it."""
    try:
        yield from db.execute(query, parameters)
    except sqlite3.DatabaseError:
        return


def _damaged(error: sqlite3.DatabaseError) -> str:
    return f"the database cannot be read here: {error}"


def _numbers(those: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the phone numbers and the e-mail addresses among handles."""
    phones = tuple(dict.fromkeys(phone for one in those if (phone := phone_of(one))))
    return phones, tuple(dict.fromkeys(one.casefold() for one in those if "@" in one))


SOURCE = IMessageDatabase()
