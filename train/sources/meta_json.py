"""Messenger and Instagram, as Meta's "Download your information" gives them in JSON.

A thread is a folder of `message_1.json`, `message_2.json`, …, newest first, 10,000 messages each. Every string is
UTF-8 that was read as Latin-1 before it was written. The end-to-end encrypted chats of Messenger come in another
layout, one file a chat, written properly.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from persona.errors import UserError
from train.export_files import ExportPath, TornFileError, children, start_of
from train.messages import (
    Chat,
    ChatKind,
    Drop,
    Kind,
    Message,
    Note,
    Owner,
    Reading,
    Record,
    Tear,
    as_reactions,
)  # fmt: skip
from train.people import normal_name
from train.printed_ids import PrintedIds
from train.sources.json_objects import Found, is_date, number_in, object_in, objects_in, read_objects, text_in
from train.sources.json_records import Closed, Known, Opened, as_utf8, mend
from train.sources.meta_words import APP_LINE, REACTED

_LOOKED_AT = 50
"""Threads of a folder that are looked at to find out whether they are Meta's."""
_FILE = re.compile(r"message_([0-9]{1,9})\.json", re.IGNORECASE)
_BOXES = frozenset({
    "inbox", "archived_threads", "filtered_threads", "message_requests", "e2ee_cutover", "legacy_threads",
})  # fmt: skip
_START = re.compile(rb'\A\s*\{\s*"participants"\s*:\s*\[')
_LATIN = re.compile("[\x80-\xff]")
_NAMELESS = frozenset({"facebook user", "instagram user", "facebook-nutzer", "utilisateur de facebook"})
_MEDIA = (
    ("photos", Kind.PHOTO), ("videos", Kind.VIDEO), ("audio_files", Kind.VOICE), ("gifs", Kind.GIF),
    ("files", Kind.FILE), ("sticker", Kind.STICKER),
)  # fmt: skip


class MetaJson:
    """Reads Messenger's and Instagram's JSON."""

    name = "meta-json"

    def detect(self, path: ExportPath) -> float:
        """Return how sure it is: a folder of threads, a thread, or one file of either layout."""
        try:
            if path.is_dir():
                # An empty or foreign file of that name makes no folder Meta's: other exports may lie beside it.
                some = islice(_threads(path), _LOOKED_AT)
                return 0.9 if any(_detect_file(file) > 0 for files in some for file in files[:1]) else 0.0
            return _detect_file(path)
        except OSError:
            return 0.0

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of every thread; what is held is one message, and the names of those who take part."""
        threads = list(_threads(path)) if path.is_dir() else [[path]]
        owner = _owner(threads, reading)
        platform = _platform(path)
        if owner is not None:
            yield Owner(platform, normal_name(owner), owner)
        elif len(threads) > 1:
            yield Note("Nobody takes part in every thread, so the owner was not found.")
        for files in threads:
            yield from _Thread(files, platform, owner, reading).records()


def _detect_file(path: ExportPath) -> float:
    if path.suffix.lower() != ".json":
        return 0.0
    start = as_utf8(start_of(path))
    if not _START.match(start):
        return 0.0
    own = b'"sender_name"' in start or b'"senderName"' in start or b'"threadName"' in start
    return 0.9 if own or _FILE.fullmatch(path.name) else 0.3


def _threads(folder: ExportPath) -> Iterator[list[ExportPath]]:
    """Yield the files of each thread in a folder, oldest first: the folder of a thread, of a box, or of boxes."""
    inside = children(folder)
    if files := _thread_files(inside):
        yield files
        return
    boxes = [one for one in inside if one.name in _BOXES and one.is_dir()]
    if folder.name == "messages" or folder.name in _BOXES or boxes:
        for box in boxes or [folder]:
            for thread in children(box):
                if thread.is_dir() and (files := _thread_files(children(thread))):
                    yield files


def _thread_files(inside: list[ExportPath]) -> list[ExportPath]:
    numbered = [(int(found[1]), one) for one in inside if (found := _FILE.fullmatch(one.name)) and one.is_file()]
    return [one for _, one in sorted(numbered, key=lambda pair: -pair[0])]


def _platform(path: ExportPath) -> str:
    place = str(path).lower()
    return "instagram" if place.rfind("instagram") > place.rfind("facebook") else "messenger"


def _owner(threads: list[list[ExportPath]], reading: Reading) -> str | None:
    """Return who the export is of: the one named, else the one who takes part in every thread."""
    taking_part = Counter[str]()
    for files in threads:
        taking_part.update(set(_participants(files[-1])))
    known = {normal_name(name): name for name in taking_part}
    for name in (reading.owner, *reading.known_owners):
        if name is not None and normal_name(name) in known:
            return known[normal_name(name)]
    everywhere = [name for name, count in taking_part.items() if count == len(threads)]
    return everywhere[0] if len(threads) > 1 and len(everywhere) == 1 else None


def _participants(path: ExportPath) -> list[str]:
    start = as_utf8(start_of(path, 1 << 16))
    found = re.match(rb'\s*\{\s*"participants"\s*:\s*(\[.*?\])', start, re.DOTALL)
    try:
        listed = mend(found[1]) if found else []
    except ValueError:
        return []
    return [name for one in listed if (name := _named(one))]


def _named(participant: Any) -> str:
    name = participant.get("name") if isinstance(participant, dict) else participant
    return repaired(name) if isinstance(name, str) else ""


def repaired(text: str) -> str:
    """Return a string as it was before its UTF-8 bytes were read as Latin-1; one that never was stays as it is."""
    if not _LATIN.search(text):
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


class _Thread:
    def __init__(self, files: list[ExportPath], platform: str, owner: str | None, reading: Reading) -> None:
        self.files = files
        self.platform = platform
        self.owner = None if owner is None else normal_name(owner)
        self.reading = reading
        self.people: list[str] = []
        self.chat: Chat | None = None
        self.ids = PrintedIds()
        self.count = 0
        folder = files[0].parent.name
        # The folder is the thread's name and number; the file says the same, but only after the messages.
        self.chat_id = folder if _FILE.fullmatch(files[0].name) else files[0].stem

    def records(self) -> Iterator[Record]:
        for path in self.files:
            place = f"{path.parent.name}/{path.name}"
            try:
                yield from self._file(path, f"{place}, ")
            except (OSError, UserError, TornFileError) as error:
                # The other files are read all the same.
                yield Tear(place, str(error))

    def _file(self, path: ExportPath, prefix: str) -> Iterator[Record]:
        pieces = read_objects(
            path, records="messages", know=frozenset({"participants"}), progress=self.reading.progress, prefix=prefix,
        )  # fmt: skip
        for piece in pieces:
            match piece:
                case Known(value=list() as listed):
                    self.people = [name for one in listed if (name := _named(one))]
                case Opened(scalars=scalars) | Closed(scalars=scalars):
                    chat = self._chat(scalars)
                    if chat != self.chat:
                        yield chat
                        self.chat = chat
                case Found(values=values, place=place):
                    self.count += 1
                    yield self._record(values, place)
                case Drop(reason=reason, place=place):
                    yield Drop(reason, place, self.chat_id)
                case Tear():
                    yield piece

    def _chat(self, scalars: dict[str, Any]) -> Chat:
        title = repaired(text_in(scalars, "title", "threadName"))
        group = scalars.get("thread_type") == "RegularGroup" or "joinable_mode" in scalars or len(self.people) > 2
        return Chat(self.platform, self.chat_id, title or None, ChatKind.GROUP if group else ChatKind.PERSONAL)

    def _record(self, values: dict[str, Any], place: str) -> Message | Drop:
        time_ms = number_in(values, "timestamp_ms") or number_in(values, "timestamp")
        if time_ms is None or not is_date(time_ms):
            return Drop("no date", place, self.chat_id)
        name = repaired(text_in(values, "sender_name", "senderName"))
        nameless = normal_name(name) in _NAMELESS
        who = normal_name(name) if name else None
        kind, text = _content(values)
        if kind is Kind.TEXT and REACTED.fullmatch(text):
            return Drop("reaction in words, kept at its message", place, self.chat_id)
        if kind is Kind.TEXT and not text.strip():
            return Drop("nothing in it", place, self.chat_id)
        number, slot = self.ids.next(str(time_ms), who or "", f"{kind}{text}")
        message = Message(
            self.platform, self.chat_id, number, time_ms, text, kind, who, None if nameless else name or None,
            None if self.owner is None or who is None else who == self.owner, None, -self.count, slot,
        )  # fmt: skip
        if object_in(values, "share").get("original_content_owner") and kind is Kind.MEDIA:
            message.forwarded_from = repaired(text_in(object_in(values, "share"), "original_content_owner"))
        message.reactions = as_reactions(
            (repaired(text_in(one, "reaction")) or "?", normal_name(repaired(text_in(one, "actor"))) or None)
            for one in objects_in(values, "reactions")
        )
        return message


def _content(values: dict[str, Any]) -> tuple[Kind, str]:
    text = repaired(text_in(values, "content", "text"))
    if values.get("is_unsent") is True or values.get("isUnsent") is True:
        return Kind.DELETED, ""
    if "call_duration" in values or values.get("type") == "Call":
        return Kind.CALL, text
    if values.get("type") in ("Subscribe", "Unsubscribe"):
        return Kind.SERVICE, text
    app = bool(APP_LINE.fullmatch(text))
    for key, kind in _MEDIA:
        if values.get(key):
            return kind, "" if app else text
    if values.get("media"):
        return Kind.MEDIA, "" if app else text
    share = object_in(values, "share")
    if share and (app or not text):
        link = text_in(share, "link")
        return (Kind.MEDIA, "") if share.get("original_content_owner") or not link else (Kind.TEXT, link)
    return (Kind.SERVICE if app else Kind.TEXT), text


SOURCE = MetaJson()
