"""iMazing's CSV of an iPhone's Messages, or of its WhatsApp: one table, the chat in the first column."""

import re
from collections.abc import Iterator
from datetime import datetime

from train.accounts import handle_of, phone_of
from train.export_files import ExportPath
from train.export_tables import TableRow, header_of, table_rows
from train.local_time import utc_ms, zone_of
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Owner, Reading, Record, as_reactions
from train.people import normal_name
from train.printed_ids import PrintedIds

OWNER = "me"

_NEEDED = frozenset({"chat session", "message date", "type", "text"})
_KINDS = (
    ("image/gif", Kind.GIF), ("image", Kind.PHOTO), ("video", Kind.VIDEO), ("audio", Kind.AUDIO), ("voice", Kind.VOICE),
    ("vcard", Kind.CONTACT), ("contact", Kind.CONTACT), ("location", Kind.LOCATION), ("sticker", Kind.STICKER),
)  # fmt: skip
_REACTION = re.compile(r"(?P<who>[^:,()]+?)\s*[:(]\s*(?P<emoji>[^,()]+?)\)?(?:,|$)")


class IMazingCsv:
    """Reads `Messages - ….csv` and `WhatsApp - ….csv`."""

    name = "imazing-csv"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the names of the columns."""
        if not path.is_file() or path.suffix.lower() != ".csv":
            return 0.0
        return 0.95 if set(header_of(path)) >= _NEEDED else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records at flat memory."""
        yield from _Table(path, reading).records()


class _Table:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.zone = zone_of(reading)
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        names = header_of(path)
        self.platform = "whatsapp" if "whatsapp" in path.name.lower() or "service" not in names else "imessage"
        self.ids = PrintedIds()
        self.chats: set[str] = set()
        self.accounts: set[tuple[str, str | None]] = set()
        self.seen = 0

    def records(self) -> Iterator[Record]:
        yield Owner(self.platform, OWNER, self.owner_name)
        for row in table_rows(self.path):
            self.seen += 1
            yield from self._row(row)

    def _row(self, row: TableRow) -> Iterator[Record]:
        get = row.values.get
        session = (get("chat session") or "").strip()
        # Group sessions are named by those in them: "Ann & Bob", "Ann, Bob & Cy".
        group = " & " in session or "," in session
        chat = handle_of(session) if phone_of(session) or "@" in session else normal_name(session)
        place = f"line {row.line}"
        moment = self._time(get("message date") or "")
        if moment is None:
            yield Drop("no date" if row.values else "not a readable row", place, chat or None)
            return
        if chat not in self.chats:
            self.chats.add(chat)
            yield Chat(self.platform, chat, session or None, ChatKind.GROUP if group else ChatKind.PERSONAL)
        mine = (get("type") or "").strip().lower() in ("outgoing", "sent")
        name = (get("sender name") or "").strip() or None
        number = (get("sender id") or "").strip()
        sender = OWNER if mine else handle_of(number) if number else normal_name(name or session) or None
        if not mine and sender is not None and (sender, name) not in self.accounts:
            self.accounts.add((sender, name))
            phone = phone_of(number)
            yield Account(self.platform, sender, name, (phone,) if phone else (), (sender,) if "@" in sender else ())
        kind, text = self._content(row)
        if kind is Kind.TEXT and not text.strip():
            yield Drop("nothing in it", place, chat)
            return
        ident, slot = self.ids.next(get("message date") or "", sender or "", f"{kind}{text}")
        message = Message(
            self.platform, chat, ident, moment[0], text, kind, None if kind is Kind.SERVICE else sender,
            self.owner_name if mine else name or number or None, mine, moment[1], self.seen, slot,
        )  # fmt: skip
        if edited := self._time(get("edited date") or ""):
            message.edited_ms = edited[0]
        message.reactions = as_reactions(
            (found["emoji"].strip(), normal_name(found["who"])) for found in _REACTION.finditer(get("reactions") or "")
        )
        if (get("forwarded") or "").strip().lower() in ("yes", "true", "1"):
            message.forwarded_from = ""
        yield message

    def _content(self, row: TableRow) -> tuple[Kind, str]:
        text = row.values.get("text") or ""
        if (row.values.get("type") or "").strip().lower() == "notification":
            return Kind.SERVICE, text
        if (row.values.get("status") or "").strip().lower() in ("deleted", "unsent"):
            return Kind.DELETED, ""
        medium = f"{row.values.get('attachment type') or ''} ".lower()
        if row.values.get("attachment") or medium.strip():
            return next((kind for word, kind in _KINDS if word in medium), Kind.FILE), text
        return Kind.TEXT, text

    def _time(self, printed: str) -> tuple[int, int | None] | None:
        try:
            return utc_ms(datetime.fromisoformat(printed.strip()), self.zone) if printed.strip() else None
        except ValueError:
            return None


SOURCE = IMazingCsv()
