"""One chat with one persona: its messages, its draft, and the reply that may be under way.

This is the state behind the screen and knows nothing about widgets: a reply goes on whether or not its
chat is the one being looked at. Whoever draws it passes `changed`, which is called after every change.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.contract import Persona, TextPiece, Usage, Utterance
from tui.errors import EndpointError, HistoryError
from tui.history import History, Message, State
from tui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.endpoint import Endpoint

CONTEXT_MESSAGES = 60
"""How many messages go along with a request; the persona's side trims them to its context."""

PAGE = 60
"""How many messages are shown at first, and added each time the user scrolls past the top."""

SAVE_SECONDS = 0.5


@dataclass(frozen=True)
class Notice:
    """Something the user must know, shown in the conversation: what happened, and what to do."""

    text: str
    hint: str = ""


class Chat:
    """The newest conversation with a persona. Call `load` before anything else."""

    def __init__(self, persona: Persona, history: History, as_name: str, changed: Callable[[Chat], None]) -> None:
        """Tie a persona to a history; `as_name` is who the user is, or empty for the interlocutor."""
        self.persona = persona
        self.as_name = as_name or persona.interlocutor
        self.conversation: int | None = None
        self.messages: list[Message] = []
        self.more_above = False
        self.draft = ""
        self.unread = False
        self.notice: Notice | None = None
        self.reply: Reply | None = None
        self.replacing: Message | None = None
        self.answer_again = False
        self.estimated_speed: float | None = None
        self._history = history
        self.changed = changed

    @property
    def last(self) -> Message | None:
        """The last message, or None in an empty conversation."""
        return self.messages[-1] if self.messages else None

    @property
    def last_reply(self) -> Message | None:
        """The persona's last message, or None when it has not said anything."""
        return next((message for message in reversed(self.messages) if message.role == "assistant"), None)

    @property
    def speed(self) -> tuple[float, bool] | None:
        """Tokens per second of the last reply, and whether the endpoint counted (else it is a guess)."""
        last = self.last_reply
        if last and last.tokens and last.tokens > 1 and last.seconds and last.seconds > 0.01:
            return (last.tokens - 1) / last.seconds, True
        return (self.estimated_speed, False) if self.estimated_speed else None

    def load(self) -> None:
        """Read the newest conversation, the draft and the read mark; raises HistoryError."""
        contact = self._history.contact(self.persona.id)
        self.draft = contact.draft
        self._read_messages()
        last = self.last
        self.unread = bool(last and last.role == "assistant" and last.id > contact.read_message)

    def refresh(self) -> None:
        """Read the messages again because another client wrote some; raises HistoryError."""
        if self.reply is None:
            before = [(message.id, message.text, message.state) for message in self.messages]
            self._read_messages(max(PAGE, len(self.messages)))
            if before != [(message.id, message.text, message.state) for message in self.messages]:
                self.changed(self)

    def _read_messages(self, last: int = PAGE) -> None:
        self.conversation = self._history.newest_conversation(self.persona.id)
        if self.conversation is None:
            self.messages, self.more_above = [], False
            return
        found = self._history.messages(self.conversation, last=last + 1)
        self.more_above = len(found) > last
        # A message keeps its object, by which the screen knows what it has drawn already.
        known = {message.id: message for message in self.messages}
        for message in found:
            if message.id in known:
                vars(known[message.id]).update(vars(message))
        self.messages = [known.get(message.id, message) for message in found[-last:]]

    def load_above(self) -> None:
        """Put the page of messages before the first one in front; raises HistoryError."""
        if not (self.more_above and self.conversation and self.messages):
            return
        above = self._history.messages(self.conversation, last=PAGE + 1, before=self.messages[0].id)
        self.more_above = len(above) > PAGE
        self.messages = above[-PAGE:] + self.messages
        self.changed(self)

    def mark_read(self) -> None:
        """Remember that the user has seen everything; raises HistoryError."""
        last = self.last
        if self.unread and last:
            self.unread = False
            self._history.mark_read(self.persona.id, last.id)
            self.changed(self)

    def keep_draft(self, draft: str) -> None:
        """Remember what stands in the composer; raises HistoryError."""
        if draft != self.draft:
            self.draft = draft
            self._history.save_draft(self.persona.id, draft)

    def say(self, text: str) -> None:
        """Store the user's message; raises HistoryError, and then nothing was sent or lost."""
        if self.conversation is None:
            self.conversation = self._history.conversation(self.persona.id)
        self.messages.append(self._history.add(self.conversation, "user", self.as_name, clean(text)))
        self.notice = None
        self.changed(self)

    def start_over(self) -> None:
        """Begin a new conversation; the old one stays in the history. Raises HistoryError."""
        self.stop()
        self.conversation = self._history.new_conversation(self.persona.id)
        self.messages, self.more_above = [], False
        self.notice = self.replacing = self.estimated_speed = None
        self.unread = False
        self.changed(self)

    def context(self) -> list[Utterance]:
        """Return what to send: the last messages in order, a burst of one speaker as one turn of lines."""
        turns: list[Utterance] = []
        for message in [m for m in self.messages if m is not self.replacing][-CONTEXT_MESSAGES:]:
            if not message.text.strip():
                continue
            name = message.name if message.role == "user" else ""
            if turns and (turns[-1].role, turns[-1].name) == (message.role, name):
                turns[-1] = Utterance(message.role, f"{turns[-1].content}\n{message.text}", name)
            else:
                turns.append(Utterance(message.role, message.text, name))
        return turns

    def begin_reply(self, endpoint: Endpoint, *, replace: bool = False) -> Reply | None:
        """Prepare a reply to what stands there; the caller runs it. None when there is nothing to answer.

        With `replace` the last message, if it is the persona's, gives way to the new one as soon as that
        one has its first words, so a failing endpoint costs nothing.
        """
        last = self.last
        self.replacing = last if replace and last and last.role == "assistant" else None
        if not any(turn.role == "user" for turn in self.context()):
            self.replacing = None
            return None
        self.notice = None
        self.reply = Reply(self, endpoint)
        self.changed(self)
        return self.reply

    def stop(self) -> bool:
        """Stop the reply under way and keep what came; returns whether there was one."""
        if self.reply is None:
            return False
        self.answer_again = False
        nothing_yet = Notice("stopped before the first word") if self.reply.message is None else None
        self.reply.finish("stopped", nothing_yet)
        return True

    def store(self, message: Message) -> None:
        """Write a reply's progress; a history that cannot be written becomes a notice, not an end."""
        try:
            if message.id == 0:
                stored = self._history.add(
                    message.conversation, message.role, message.name, message.text, message.state
                )
                message.id, message.sent_at = stored.id, stored.sent_at
                if self.replacing:
                    self._history.replace(self.replacing)
            if message.id:
                self._history.update(message)
        except HistoryError as error:
            self.notice = Notice(str(error), error.hint)


class Reply:
    """A reply under way. `run` fetches it; `finish` ends it from outside, at once and only once."""

    def __init__(self, chat: Chat, endpoint: Endpoint) -> None:
        """Take the context now: what the user says later belongs to the next reply."""
        self.chat = chat
        self.message: Message | None = None
        self.task: asyncio.Task[object] | None = None
        self._endpoint = endpoint
        self._context = chat.context()
        self._raw = ""
        self._pieces = 0
        self._first_at = self._last_at = self._saved_at = 0.0

    @property
    def under_way(self) -> bool:
        """Whether this is still the chat's reply."""
        return self.chat.reply is self

    async def run(self) -> None:
        """Fetch the reply to its end, whatever that is; never raises for a bad endpoint."""
        if not self.under_way:
            return
        self.task = asyncio.current_task()
        try:
            # Closed here and now, not when it is collected: that is what hangs up on the endpoint.
            async with aclosing(self._endpoint.reply(self.chat.persona.id, self._context)) as events:
                async for event in events:
                    if not self.under_way:
                        return
                    if isinstance(event, TextPiece):
                        self._grow(event.text)
                    elif isinstance(event, Usage) and self.message:
                        self.message.tokens = event.completion_tokens or None
            self.finish("whole")
        except EndpointError as error:
            self.finish("failed", Notice(str(error), error.hint))
        except asyncio.CancelledError:
            self.finish("stopped")
            raise

    def _grow(self, piece: str) -> None:
        """Add a piece, and store it when the last storing is half a second old."""
        self._raw += piece
        self._pieces += 1
        self._last_at = time.monotonic()
        text = clean(self._raw).lstrip("\n")
        if self.message is None:
            if not text.strip():
                return
            self._first_at = self._last_at
            self._appear(text)
        else:
            self.message.text = text
            if self._last_at - self._saved_at >= SAVE_SECONDS:
                self._saved_at = self._last_at
                self.chat.store(self.message)
        self.chat.changed(self.chat)

    def _appear(self, text: str) -> None:
        """Put the first words into the conversation, in place of the reply they replace."""
        chat = self.chat
        assert chat.conversation is not None  # a reply answers a stored message
        now = time.time()
        self.message = Message(0, chat.conversation, "assistant", chat.persona.name, text, now, now, "streaming")
        chat.store(self.message)
        self._saved_at = self._last_at
        if chat.replacing in chat.messages:
            chat.messages.remove(chat.replacing)
        chat.replacing = None
        chat.messages.append(self.message)

    def finish(self, state: State, notice: Notice | None = None) -> None:
        """End the reply as `state` and store it; does nothing when it has ended already."""
        chat = self.chat
        if not self.under_way:
            return
        chat.reply = None
        chat.replacing = None
        if notice:
            chat.notice = notice
        if self.message:
            self._settle(self.message, state)
        elif state == "whole":
            chat.notice = Notice("the reply was empty")
        if self.task and self.task is not asyncio.current_task():
            self.task.cancel()
        chat.changed(chat)

    def _settle(self, message: Message, state: State) -> None:
        message.text = message.text.rstrip()
        message.state = state
        message.seconds = self._last_at - self._first_at
        if message.tokens is None and self._pieces > 2 and message.seconds > 0.01:
            # Most servers send one token a piece, but some send more: good enough for a guess.
            self.chat.estimated_speed = (self._pieces - 1) / message.seconds
        self.chat.store(message)
        self.chat.unread = True
