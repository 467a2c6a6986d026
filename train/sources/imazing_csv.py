"""iMazing's CSV of an iPhone's Messages, or of its WhatsApp: one table, the chat in the first column.

The columns grew over the years ("Reactions", "Message ID", "Deleted Date"), so they are read by their names. Where
the names are not English the table is known, and read, by the places of its columns, which are always the same.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from train.accounts import handle_of, phone_of
from train.export_files import ExportPath, TornFileError
from train.export_tables import header_of, table_rows
from train.local_time import utc_ms, zone_of
from train.messages import Account, Chat, ChatKind, Drop, Kind, Message, Note, Owner, Reading, Record, as_reactions
from train.people import normal_name
from train.printed_ids import PrintedIds

OWNER = "me"

_NEEDED = frozenset({"chat session", "message date", "type", "text"})
_END = ("attachment", "attachment type")
_ADDRESSES = ("type", "sender id", "sender name", "status")
_LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("chat session", "message date", "service", *_ADDRESSES, "replying to", "subject", "text", "reactions", *_END),
    ("chat session", "message date", "delivered date", "read date", "service", *_ADDRESSES, "replying to", "subject",
     "text", *_END),
    ("chat session", "message date", "delivered date", "read date", "edited date", "service", *_ADDRESSES,
     "replying to", "subject", "text", *_END),
    ("chat session", "message date", "delivered date", "read date", "edited date", "service", *_ADDRESSES,
     "replying to", "subject", "text", "reactions", *_END),
    ("chat session", "message date", "delivered date", "read date", "edited date", "deleted date", "service",
     *_ADDRESSES, "replying to", "subject", "text", "reactions", *_END),
    ("chat session", "message id", "message date", "delivered date", "read date", "edited date", "deleted date",
     "service", *_ADDRESSES, "replying to", "subject", "text", "reactions", *_END),
    ("chat session", "message date", "sent date", *_ADDRESSES, "forwarded", "replying to", "text", "reactions", *_END,
     "attachment info"),
)  # fmt: skip
"""The columns of each version that was seen; the last is WhatsApp's."""
_SERVICES = frozenset({"imessage", "sms", "mms", "rcs"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d.*")
_KINDS = (
    ("image/gif", Kind.GIF), ("image", Kind.PHOTO), ("photo", Kind.PHOTO), ("video", Kind.VIDEO),
    ("audio", Kind.AUDIO), ("voice", Kind.VOICE), ("vcard", Kind.CONTACT), ("contact", Kind.CONTACT),
    ("location", Kind.LOCATION), ("sticker", Kind.STICKER),
)  # fmt: skip
_KIND_OF_ENDING = {
    "gif": Kind.GIF, "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "heic": Kind.PHOTO, "webp": Kind.PHOTO,
    "mov": Kind.VIDEO, "mp4": Kind.VIDEO, "caf": Kind.AUDIO, "m4a": Kind.AUDIO, "opus": Kind.VOICE,
    "vcf": Kind.CONTACT,
}  # fmt: skip
# English, German, French, Spanish, Italian, Portuguese, Dutch; what is neither is told by who sent it.
_MINE = frozenset({"outgoing", "sent", "ausgehend", "gesendet", "sortant", "envoyé", "saliente", "enviado", "in uscita",
                   "inviato", "enviada", "uitgaand", "verzonden"})  # fmt: skip
_NOTICES = frozenset({"notification", "benachrichtigung", "mitteilung", "notificación", "notifica", "notificação",
                      "melding"})  # fmt: skip
_GONE = frozenset({"deleted", "unsent", "gelöscht", "supprimé", "eliminado", "borrado", "eliminato", "apagado",
                   "verwijderd"})  # fmt: skip
_ONE_REACTION = re.compile(r"[^,;|\n]+")
_EMOJI = re.compile(r"[^\w\s\x00-\x7f“”„«»’‘…–—·]+(?:[\u200d\ufe0f][^\w\s\x00-\x7f]*)*")
_NAMED = {
    "loved": "❤️", "heart": "❤️", "love": "❤️", "liked": "👍", "like": "👍", "disliked": "👎", "dislike": "👎",
    "laughed": "😂", "haha": "😂", "laugh": "😂", "emphasized": "‼️", "emphasised": "‼️", "questioned": "❓",
}  # fmt: skip
_VERBS = re.compile(
    r"\b(?:reacted(?: with)?(?: an?)?|(?:lov|lik|dislik|emphasi[sz]|question)ed|laughed(?: at)?"
    r"|love|like|dislike|laugh|haha|heart)\b|[:()\[\]<>]",
    re.IGNORECASE,
)
_BEFORE_A_NAME = re.compile(r"^(?:by|with|from|von|par|de|da|por)\s+", re.IGNORECASE)


class IMazingCsv:
    """Reads `Messages - ….csv` and `WhatsApp - ….csv`."""

    name = "imazing-csv"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is, by the names of the columns, or by their places and the first row."""
        if not path.is_file() or path.suffix.lower() != ".csv":
            return 0.0
        names = header_of(path)
        if set(names) >= _NEEDED:
            return 0.95
        return 0.8 if _layout(path, names) is not None else 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records at flat memory."""
        yield from _Table(path, reading).records()


class _Table:
    def __init__(self, path: ExportPath, reading: Reading) -> None:
        self.path = path
        self.zone = zone_of(reading)
        self.owner_name = reading.owner or next(iter(reading.known_owners), None)
        names = header_of(path)
        self.layout = None if set(names) >= _NEEDED else _layout(path, names)
        names = list(self.layout or names)
        self.platform = "whatsapp" if "whatsapp" in path.name.lower() or "service" not in names else "imessage"
        self.ids = PrintedIds()
        self.parts: dict[str, int] = {}
        self.chats: dict[str, ChatKind] = {}
        self.senders: dict[str, set[str]] = {}
        self.accounts: set[tuple[str, str | None]] = set()
        self.unread_reactions = False
        self.seen = 0

    def records(self) -> Iterator[Record]:
        yield Owner(self.platform, OWNER, self.owner_name)
        if self.layout is not None:
            yield Note("The names of the columns are not English; they were read by their places.")
        for row in table_rows(self.path):
            self.seen += 1
            values = row.values
            if self.layout is not None:
                values = dict(zip(self.layout, values.values(), strict=False))
            yield from self._row(values, f"line {row.line}")
        if self.unread_reactions:
            yield Note("Some reactions are written in a way that is not known, and were left out.")

    def _row(self, values: dict[str, str], place: str) -> Iterator[Record]:
        get = values.get
        session = (get("chat session") or "").strip()
        chat = handle_of(session) if phone_of(session) or "@" in session else normal_name(session)
        moment = self._time(get("message date") or "")
        if moment is None:
            yield Drop("no date" if values else "not a readable row", place, chat or None)
            return
        name, number = (get("sender name") or "").strip() or None, (get("sender id") or "").strip()
        direction = (get("type") or "").strip().lower()
        notice = direction in _NOTICES
        mine = not notice and (direction in _MINE or (self.layout is not None and not name and not number))
        sender = OWNER if mine else handle_of(number) if number else normal_name(name or session) or None
        yield from self._chat(chat, session, None if mine or notice else normal_name(name or "") or sender)
        if not mine and not notice and sender is not None and (sender, name) not in self.accounts:
            self.accounts.add((sender, name))
            phone = phone_of(number)
            yield Account(self.platform, sender, name, (phone,) if phone else (), (sender,) if "@" in sender else ())
        kind, text = _content(values, notice)
        if kind is Kind.TEXT and not text.strip():
            yield Drop("nothing in it", place, chat)
            return
        printed, slot = self.ids.next(get("message date") or "", sender or "", f"{kind}{text}")
        message = Message(
            self.platform, chat, self._own_id(get("message id") or "") or printed, moment[0], text, kind,
            None if kind is Kind.SERVICE else sender, self.owner_name if mine else name or number or None, mine,
            moment[1], self.seen, slot,
        )  # fmt: skip
        if edited := self._time(get("edited date") or ""):
            message.edited_ms = edited[0]
        message.reactions = self._reactions(get("reactions") or "")
        if (get("forwarded") or "").strip().lower() in ("yes", "true", "1"):
            message.forwarded_from = ""
        yield message

    def _chat(self, chat: str, session: str, other: str | None) -> Iterator[Chat]:
        """Yield the chat when it is new, or turns out to be a group: by its name, or by who writes in it."""
        others = self.senders.setdefault(chat, set())
        if other is not None:
            others.add(other)
        # Groups without a title are named by those in them: "Ann & Bob", "Ann, Bob & Cy".
        group = " & " in session or "," in session or len(others) > 1
        kind = ChatKind.GROUP if group else ChatKind.PERSONAL
        if self.chats.get(chat) is not kind:
            self.chats[chat] = kind
            yield Chat(self.platform, chat, session or None, kind)

    def _own_id(self, given: str) -> str | None:
        """Return the id of a row by the message's own: what is attached to a message has rows of its own."""
        given = given.strip()
        if not given:
            return None
        number = self.parts.pop(given, 0) + 1
        self.parts[given] = number
        if len(self.parts) > _HELD_IDS:
            del self.parts[next(iter(self.parts))]
        return given if number == 1 else f"{given}/{number}"

    def _reactions(self, written: str) -> str | None:
        if not written.strip():
            return None
        found = [one for part in _ONE_REACTION.findall(written) for one in _reaction(part)]
        self.unread_reactions |= not found
        return as_reactions(found)

    def _time(self, printed: str) -> tuple[int, int | None] | None:
        try:
            return utc_ms(datetime.fromisoformat(printed.strip()), self.zone) if printed.strip() else None
        except ValueError:
            return None


_HELD_IDS = 10_000
"""Ids that are remembered: the rows of one message follow each other."""


def _content(values: dict[str, str], notice: bool) -> tuple[Kind, str]:
    text = values.get("text") or ""
    if subject := (values.get("subject") or "").strip():
        text = f"{subject}\n{text}".rstrip("\n")
    if notice:
        return Kind.SERVICE, text
    if (values.get("status") or "").strip().lower() in _GONE or (values.get("deleted date") or "").strip():
        return Kind.DELETED, ""
    name, medium = (values.get("attachment") or "").strip(), (values.get("attachment type") or "").strip().lower()
    if not name and not medium:
        return Kind.TEXT, text
    said = next((kind for word, kind in _KINDS if word in medium), None)
    return said or _KIND_OF_ENDING.get(name.rpartition(".")[2].lower(), Kind.FILE), text


def _reaction(written: str) -> Iterator[tuple[str, str | None]]:
    """Yield one reaction and who gave it: "Ann: ❤️", "❤️ (Ann)", "Ann reacted with ❤️", "Loved by Ann"."""
    emoji = _EMOJI.search(written)
    if emoji is not None:
        picture = emoji[0].strip()
    else:
        named = next((word for word in re.findall(r"\w+", written.lower()) if word in _NAMED), None)
        if named is None:
            return
        picture = _NAMED[named]
    around = _VERBS.sub(" ", _EMOJI.sub(" ", written)).strip()
    yield (
        picture,
        normal_name(_BEFORE_A_NAME.sub("", around, count=1) if _BEFORE_A_NAME.match(around) else around) or None,
    )


def _layout(path: ExportPath, names: list[str]) -> tuple[str, ...] | None:
    """Return the columns of a table whose header is not English, by their number and by what is in the first row."""
    layouts = [one for one in _LAYOUTS if len(one) == len(names)]
    if not layouts:
        return None
    try:
        row = next(iter(table_rows(path)), None)
    except (OSError, TornFileError, UnicodeError):
        return None
    values = list(row.values.values()) if row is not None else []
    for layout in layouts:
        given = dict(zip(layout, values, strict=False))
        ours = given.get("service", "").strip().lower() in _SERVICES or (
            "service" not in layout and "whatsapp" in path.name.lower()
        )
        if len(values) == len(layout) and ours and _DATE.fullmatch(given["message date"].strip()):
            return layout
    return None


SOURCE = IMazingCsv()
