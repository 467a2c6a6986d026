"""Tapbacks of iMessage: the rows that react to a message, and who reacted with what in the end."""

from collections.abc import Iterator
from typing import Any

from train.messages import Message, as_reactions
from train.sources.imessage_sentences import STICKER, Sentence

_PICTURES = {2000: "❤️", 2001: "👍", 2002: "👎", 2003: "😂", 2004: "‼️", 2005: "❓", 2007: STICKER}
_TAKEN_BACK = 1000
"""What is added to the type of a tapback that takes one back."""
_PLACED_STICKER = 1000
_SHORTEST_CUT = 8
"""Letters that a quoted text which is cut short must have in common with its message."""


class Tapbacks:
    """Who reacted to which message with what, by the guid of the message."""

    def __init__(self) -> None:
        """Begin without any."""
        self.given: dict[str, list[tuple[str, str | None]]] = {}

    def note(self, guid: str, emoji: str | None, who: str | None, taken_back: bool) -> None:
        """Note one reaction, later ones later. An `emoji` of None, taken back, is whatever `who` gave."""
        given = self.given.setdefault(guid, [])
        if taken_back:
            given[:] = [one for one in given if one[1] != who or (emoji is not None and one[0] != emoji)]
        elif emoji == STICKER:
            given.append((STICKER, who))
        else:
            # One person has one tapback on a message, a new one takes the place of the old; stickers are as many
            # as one likes.
            given[:] = [one for one in given if one[1] != who or one[0] == STICKER]
            given.append((emoji or STICKER, who))


def is_tapback(kind: Any) -> bool:
    """Return whether an `associated_message_type` is that of a reaction, and not of an app's or a poll's message."""
    return type(kind) is int and (kind == _PLACED_STICKER or 2000 <= kind < 4000)


def read_type(kind: int, custom: Any) -> tuple[str | None, bool]:
    """Return the emoji of a tapback and whether it is taken back; None for one that does not say which it was."""
    taken_back = kind >= 2000 + _TAKEN_BACK
    plain = kind - _TAKEN_BACK if taken_back else kind
    if isinstance(custom, str) and custom:
        return custom, taken_back
    return _PICTURES.get(plain, None if taken_back else STICKER), taken_back


def target_of(guid: Any) -> str:
    """Return the guid of a tapback's message without the part of it: `p:0/GUID`, `bp:GUID`."""
    return str(guid or "").rpartition("/")[2].removeprefix("bp:")


class Quotable:
    """Messages of a chat that a tapback in words may be about."""

    def __init__(self, messages: list[Message]) -> None:
        """Know `messages` by their texts."""
        self.messages = messages
        self.by_text: dict[str, list[Message]] = {}
        for message in messages:
            if message.text:
                self.by_text.setdefault(message.text.strip(), []).append(message)

    def target(self, tapback: Message, sentence: Sentence) -> Message | None:
        """Return the newest message before `tapback` that `sentence` is about; None when it is not here."""
        before = (one for one in self._like(sentence, tapback.sender_id) if one is not tapback)
        before = (one for one in before if one.time_ms <= tapback.time_ms)
        return max(before, key=lambda one: (one.time_ms, one.seq), default=None)

    def _like(self, sentence: Sentence, who: str | None) -> Iterator[Message]:
        if sentence.media:
            # Which of several is not said; that it is one's own is the least likely.
            yield from (one for one in self.messages if one.kind in sentence.media and one.sender_id != who)
            return
        quoted = sentence.quoted
        yield from self.by_text.get(quoted, ())
        cut = quoted.removesuffix("…").removesuffix("...").rstrip()
        if cut != quoted and len(cut) >= _SHORTEST_CUT:
            yield from (one for one in self.messages if one.text.startswith(cut))


def react(tapbacks: Tapbacks, target: Message, sentence: Sentence, who: str | None) -> None:
    """Put a tapback in words among the reactions of its message."""
    guid = str(target.id)
    tapbacks.note(guid, sentence.emoji, who, sentence.taken_back)
    target.reactions = as_reactions(tapbacks.given[guid])
