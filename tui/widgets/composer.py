"""Where the user writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.widgets import TextArea

if TYPE_CHECKING:
    from tui.chat import Chat


class Composer(TextArea):
    """A text area that sends on Enter and brings back earlier messages with Up when it is empty."""

    class Sent(Message):
        """The user pressed Enter on something."""

        def __init__(self, chat: Chat, text: str) -> None:
            """Say what was written, as it was written, and to whom: another chat may be open by now."""
            super().__init__()
            self.chat = chat
            self.text = text

    def __init__(self) -> None:
        """Make an empty composer."""
        super().__init__(
            id="composer",
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            compact=True,
        )
        self._chat: Chat | None = None
        self._sent: list[str] = []
        self._at: int | None = None

    def start(self, chat: Chat) -> None:
        """Turn to another chat: show its draft, and remember what was sent there."""
        self._chat = chat
        self._sent = [message.text for message in chat.messages if message.role == "user"]
        self._at = None
        self.placeholder = f"Message {chat.persona.name}"
        self.put(chat.draft)

    def put(self, text: str) -> None:
        """Replace what stands there and go to its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        # Not bindings: those run before or after the keys around them have been handled. In fast typing a
        # new line would end up behind the text it belongs in front of, and text in another chat.
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._send()
        elif event.key in ("shift+enter", "ctrl+j"):
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key in ("alt+up", "alt+down"):
            event.stop()
            event.prevent_default()
            await self.screen.run_action("step(-1)" if event.key == "alt+up" else "step(1)")
        elif event.key in ("up", "down") and self._browse(-1 if event.key == "up" else 1):
            event.stop()
            event.prevent_default()
        else:
            await super()._on_key(event)

    def _send(self) -> None:
        text = self.text
        if not text.strip() or self._chat is None:
            return
        self._sent.append(text)
        self._at = None
        self.load_text("")
        self.post_message(self.Sent(self._chat, text))

    def _browse(self, step: int) -> bool:
        """Show an earlier or later sent message; False when the key should move the cursor instead.

        Only an empty composer, or one that still shows a message as it was brought back, is browsed.
        """
        shown = self._sent[self._at] if self._at is not None and self._at < len(self._sent) else ""
        if self.text != shown or not self._sent:
            return False
        at = (len(self._sent) if self._at is None else self._at) + step
        if at < 0:
            return bool(shown)
        if at >= len(self._sent):
            self._at = None
            self.load_text("")
            return step > 0 and bool(shown)
        self._at = at
        self.put(self._sent[at])
        return True
