"""The message model every export is read into, and what a source may say about an export.

A source (one file in `train/sources/`) turns an export into a stream of records:

    Chat      a chat the following messages belong to (again later when more is known)
    Message   one thing one person sent at one time: kept
    Folded    a record that became part of a message (a tapback its reaction, an edit its text): kept
    Drop      something in the file that is not kept, with the reason and the place
    Account   what else the export knows about somebody: a name, a phone number, an e-mail address
    Owner     the account whose history this is
    Note      what the format left open, and how it was read
    Tear      the file ends or breaks here; everything before it was read

Messages, folded records and drops are all the records of a file: nothing is left out silently.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from train.export_files import ExportPath


class ChatKind(StrEnum):
    """What sort of chat a message was sent in."""

    PERSONAL = "personal"
    GROUP = "group"
    SAVED = "saved"
    CHANNEL = "channel"


class Kind(StrEnum):
    """What a message is. A medium's `text` is its caption, a sticker's its emoji, a poll's the question."""

    TEXT = "text"
    STICKER = "sticker"
    PHOTO = "photo"
    VIDEO = "video"
    GIF = "gif"
    VOICE = "voice"
    AUDIO = "audio"
    FILE = "file"
    MEDIA = "media"  # something was attached, the export does not say what
    LOCATION = "location"
    CONTACT = "contact"
    POLL = "poll"
    CALL = "call"
    SERVICE = "service"
    DELETED = "deleted"


class Chat(msgspec.Struct, frozen=True, gc=False):
    """A chat, by its platform and its stable id there. A name or kind of None is not known (yet)."""

    platform: str
    id: str
    name: str | None = None
    kind: ChatKind | None = None


class Message(msgspec.Struct, gc=False, array_like=True):
    """One kept message.

    `id` is stable within the chat over every export of it. Formats without ids build it from what is
    printed, and set `slot`: the place (printed time, sender, nth) where an edited or deleted version
    of the same message would stand.
    """

    platform: str
    chat_id: str
    id: str | int
    time_ms: int
    """UTC unix time in milliseconds."""
    text: str
    kind: Kind = Kind.TEXT
    sender_id: str | None = None
    """The account's stable id on its platform; None for a line nobody sent."""
    sender_name: str | None = None
    """The display name in the export; None for a deleted account."""
    is_owner: bool | None = None
    """Whether the sender is the owner of the history; None when the export does not say."""
    offset_min: int | None = None
    """Minutes the sender's (exporter's) clock was ahead of UTC, None when unknown."""
    seq: int = 0
    """Order among messages of one time."""
    slot: str | None = None
    reply_to: str | int | None = None
    """The `id` of the message this one answers, in the same chat."""
    topic: str | None = None
    """The thread of a group that has topics; a conversation does not go across topics."""
    edited_ms: int | None = None
    forwarded_from: str | None = None
    """Who wrote a forwarded message; "" when that is hidden; None for the sender's own words."""
    reactions: str | None = None
    """A JSON list of `[emoji, count, account, …]`: see `as_reactions`."""
    mentions: str | None = None
    """A JSON list of the accounts that the text mentions, by id, or by name where only that is known."""


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A record that is part of a message now: `what` it was ("reaction", "edit"), and in which chat."""

    what: str
    chat_id: str | None = None


class Drop(msgspec.Struct, frozen=True, gc=False):
    """A record that is not kept: why, and where it stands in the file."""

    reason: str
    place: str
    chat_id: str | None = None


class Account(msgspec.Struct, frozen=True, gc=False):
    """What an export knows about an account besides its messages."""

    platform: str
    id: str
    name: str | None = None
    phones: tuple[str, ...] = ()
    """Phone numbers as the export writes them."""
    emails: tuple[str, ...] = ()


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The account whose history the export is."""

    platform: str
    account_id: str
    name: str | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """Something the format leaves open and how it was read, for the person to check."""

    text: str


class Tear(msgspec.Struct, frozen=True, gc=False):
    """The export breaks off: a download cut short, a disk full. What came before it was read."""

    place: str
    detail: str


Record = Chat | Message | list[Message] | Folded | Drop | Account | Owner | Note | Tear
"""What a source yields. A list is of one chat and a few MiB at most: formats that decode many messages at once hand
them on together, which saves a sixth of the time; who the owner is they tell by an Owner."""


def one_by_one(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records with lists taken apart."""
    for record in records:
        if isinstance(record, list):
            yield from record
        else:
            yield record


def as_reactions(given: Iterable[tuple[str, str | None]]) -> str | None:
    """Return reactions as `Message.reactions` holds them, from (emoji, account or None); None without any.

    `[["❤️", 2, "user1", "user2"], ["👍", 1]]`: the accounts follow the count where they are known.
    """
    found: dict[str, list[str | None]] = {}
    for emoji, account in given:
        found.setdefault(emoji, []).append(account)
    if not found:
        return None
    rows = [[emoji, len(whose), *(one for one in whose if one is not None)] for emoji, whose in found.items()]
    return msgspec.json.encode(rows).decode()


def as_mentions(accounts: Iterable[str]) -> str | None:
    """Return mentioned accounts as `Message.mentions` holds them, each once; None without any."""
    found = list(dict.fromkeys(accounts))
    return msgspec.json.encode(found).decode() if found else None


class Reading(msgspec.Struct, frozen=True):
    """What a person may tell about an export that the file itself does not say."""

    timezone: str | None = None
    """IANA zone for formats that print local time; None is the zone of this machine."""
    owner: str | None = None
    """Display name of the owner in the export."""
    known_owners: tuple[str, ...] = ()
    """Names the owner goes by in the message store."""
    progress: Callable[[int], None] | None = None
    """Told the number of bytes of the file read since it was last told. A source that reads rows, not bytes,
    tells the share of the rows it has read, in bytes of the file."""
    scratch: Path | None = None
    """A private folder for copies that cannot be avoided; None is a temporary one."""
    disappearing: bool = False
    """Whether messages that were sent to disappear are kept."""


class Source(Protocol):
    """One export format. A new one is one new file in `train/sources/` with a `SOURCE` in it."""

    name: str

    def detect(self, path: ExportPath) -> float:
        """Return how sure this format is that `path` (a file or a folder) is its own: 0 no, 1 certainly.

        Reads no more than the beginning of a file, and raises nothing for a file of any content.
        """
        ...

    def read(self, path: ExportPath, reading: Reading) -> Iterator[Record]:
        """Yield the records of the export in file order; memory does not grow with the file.

        Raises UserError when there is nothing to be read at all. Where the export breaks off later, what came
        before is yielded and then a Tear.
        """
        ...
