"""Rows of an iMessage database as messages: the columns of `message` and what they mean.

Apple documents none of it; the numbers are those that people found in their own databases.
"""

from typing import Any

import msgspec

from train.accounts import handle_of
from train.messages import Chat, ChatKind, Drop, Folded, Kind, Message, as_mentions, as_reactions
from train.sources.imessage_chats import PLATFORM, as_text
from train.sources.imessage_edits import all_unsent, edits_of, newest_text
from train.sources.imessage_tapbacks import Tapbacks, is_tapback, target_of
from train.sources.imessage_typedstream import Body, decode_body

OWNER = "me"
"""The owner's account: all numbers and addresses of one's own are one account."""
COLUMNS = (
    "guid", "text", "attributedBody", "date", "is_from_me", "handle_id", "item_type", "associated_message_guid",
    "associated_message_type", "thread_originator_guid", "balloon_bundle_id", "is_audio_message", "date_edited",
    "date_retracted", "message_summary_info", "group_title", "group_action_type", "is_forward", "subject",
    "schedule_type", "is_sent",
)  # fmt: skip
"""What `Rows.read` takes, after the number of the row; NULL for a column that a version does not have."""

_APPLE_EPOCH_MS = 978_307_200_000
"""2001-01-01 UTC, from which Apple counts."""
_NANOSECONDS_FROM = 10**11
"""Counts above this are nanoseconds (since macOS 10.13): as seconds they would lie 3,000 years ahead."""
_LAST_MS = 2 * 10**14
"""No time is further from 2001 than this, some 6,000 years: it is no time."""
_URL_BALLOON, _POLL_BALLOON = "URLBalloonProvider", "com.apple.messages.Polls"
_POLL_VOTE = 4000
_CALL_ITEM = 6
_EVENTS = {
    (1, 0): "member added", (1, 1): "member removed", (3, 0): "member left", (3, 1): "group photo changed",
    (3, 2): "group photo removed", (3, 4): "background changed", (3, 6): "background removed",
    (4, 0): "location sharing", (5, 0): "audio message kept",
}  # fmt: skip
_PLACEHOLDER = "\ufffc"


class Known(msgspec.Struct):
    """What is known of the whole database before its messages are read."""

    handles: dict[int, str]
    """What other people are reached by, by row."""
    owner_name: str | None
    attachments: dict[int, Kind]
    tapbacks: Tapbacks


class Rows:
    """Reads rows of one chat."""

    def __init__(self, known: Known, chat: Chat) -> None:
        """Read rows of `chat`."""
        self.known = known
        self.chat_id = chat.id
        self.senders = {row: (handle_of(one), one) for row, one in known.handles.items()}
        # Who wrote what has no handle: there is only one who can have.
        other = chat.id if chat.kind in (ChatKind.PERSONAL, ChatKind.CHANNEL) else None
        self.nobody = (other, other)
        self.owner = (OWNER, known.owner_name)
        self.saved = chat.kind is ChatKind.SAVED
        self.polls: set[str] = set()

    def read(self, row: tuple[Any, ...]) -> Message | Drop | Folded:
        """Return what a row is, whatever its columns hold."""
        (
            number, guid, plain, raw, date, from_me, handle, item, target, associated, thread, balloon, audio, edited,
            retracted, summary, title, action, forward, subject, scheduled, sent,
        ) = row  # fmt: skip
        place = f"message {number}"
        if (target or associated) and (other := self._associated(associated, target, guid, balloon, place)) is not None:
            return other
        if scheduled and not sent and from_me:
            return Drop("scheduled, and not sent", place, self.chat_id)
        time_ms = _unix_ms(date)
        if time_ms is None:
            return Drop("no date", place, self.chat_id)
        body, broken = _body(plain, raw)
        text = body.text
        kind = self._kind(number, item, balloon, audio)
        if _PLACEHOLDER in text:
            text = text.replace(_PLACEHOLDER, "").strip()
            # Something was attached of which nothing else is left.
            kind = Kind.MEDIA if kind is Kind.TEXT and not text else kind
        if subject and kind is not Kind.SERVICE:
            text = f"{as_text(subject)}\n{text}".rstrip("\n")
        if retracted or edited or (summary is not None and not text):
            kind, text = _after_edits(kind, text, summary, retracted)
        if kind is Kind.SERVICE:
            text = as_text(title) or text or _EVENTS.get((item, action or 0), f"event {as_text(item)}")
        elif kind is Kind.MEDIA:
            text = ""
        elif kind is Kind.TEXT and not text.strip():
            return Drop(broken or "nothing in it", place, self.chat_id)
        sender, name = self.owner if from_me or self.saved else self.senders.get(handle, self.nobody)
        ident = as_text(guid) or f"row-{number}"
        message = Message(
            PLATFORM, self.chat_id, ident, time_ms, text, kind, sender, name, sender == OWNER, None, number
        )
        if kind is Kind.POLL:
            self.polls.add(ident)
        if thread:
            message.reply_to = as_text(thread)
        if edited:
            message.edited_ms = _unix_ms(edited)
        if forward:
            message.forwarded_from = ""
        if ident in self.known.tapbacks.given:
            message.reactions = as_reactions(self.known.tapbacks.given[ident])
        if body.mentions:
            message.mentions = as_mentions(map(handle_of, body.mentions))
        return message

    def _associated(self, kind: Any, target: Any, guid: Any, balloon: Any, place: str) -> Drop | Folded | None:
        """Return what becomes of a row that belongs to another message; None for one that stands by itself."""
        if kind == _POLL_VOTE:
            return Drop("vote in a poll", place, self.chat_id)
        if is_tapback(kind):
            if target_of(target) in self.known.tapbacks.given:
                return Folded("reaction", self.chat_id)
            return Drop("reaction to a message that is not here", place, self.chat_id)
        if target and target != guid and _POLL_BALLOON in as_text(balloon):
            # An option was added: Apple's app sends the whole poll again.
            if target_of(target) in self.polls:
                return Folded("edit", self.chat_id)
            return Drop("change of a poll that is not here", place, self.chat_id)
        return None

    def _kind(self, number: int, item: Any, balloon: Any, audio: Any) -> Kind:
        if item:
            return Kind.CALL if item == _CALL_ITEM else Kind.SERVICE
        if audio:
            return Kind.VOICE
        if balloon and _URL_BALLOON not in as_text(balloon):
            return Kind.POLL if _POLL_BALLOON in as_text(balloon) else Kind.MEDIA
        return Kind.TEXT if balloon else self.known.attachments.get(number, Kind.TEXT)


def _after_edits(kind: Kind, text: str, summary: Any, retracted: Any) -> tuple[Kind, str]:
    """Return the kind and the text of a message that may have been edited, or unsent in part or whole."""
    edits = edits_of(summary)
    if all_unsent(edits) or (retracted and not (edits and text)):
        return Kind.DELETED, ""
    newest = text or newest_text(edits)
    return kind, newest.replace(_PLACEHOLDER, "").strip() if _PLACEHOLDER in newest else newest


def _unix_ms(date: Any) -> int | None:
    """Return Apple's count as unix milliseconds; None where there is none, or it is no time."""
    if type(date) is str:
        date = int(date) if len(date) < 20 and date.removeprefix("-").isdecimal() else None
    if type(date) is int:
        since = (date + 500_000) // 1_000_000 if abs(date) > _NANOSECONDS_FROM else date * 1000
    elif type(date) is float and abs(date) < _LAST_MS * 1e6:
        since = round(date / 1e6 if abs(date) > _NANOSECONDS_FROM else date * 1000)
    else:
        return None
    return since + _APPLE_EPOCH_MS if date else None


def _body(plain: Any, raw: Any) -> tuple[Body, str | None]:
    """Return the text of a message, from the archive where there is one, and what was wrong with the archive."""
    if raw and isinstance(raw, bytes):
        try:
            return decode_body(raw), None
        except ValueError as error:
            return Body(as_text(plain)), f"unreadable body: {error}"
    return Body(as_text(plain)), None
