"""The list of personas on the left: who they are, what was said last, what is unread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import ListItem, ListView, Static

from tui.text import last_line
from tui.when import list_time
from tui.widgets.avatar import AVATAR_WIDTH, avatar, persona_style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.events import Resize

    from tui.chat import Chat


class Contact(ListItem):
    """One persona in the list, two rows high."""

    def __init__(self, chat: Chat, now: Callable[[], float]) -> None:
        """Show `chat`, with times as seen at `now`."""
        super().__init__()
        self.chat = chat
        self._now = now
        self.open = False

    def on_resize(self, event: Resize) -> None:
        """Lay the rows out again for the new width."""
        self.refresh()

    def show_open(self, is_open: bool) -> None:
        """Mark this as the chat on the right."""
        self.open = is_open
        self.set_class(is_open, "-open")
        self.refresh()

    def render(self) -> Content:
        """Draw name and time over the last line and the unread mark."""
        width = max(8, self.content_size.width - AVATAR_WIDTH - 1)
        upper, lower = avatar(self.chat.persona)
        return Content("\n").join(
            [
                Content.assemble(upper, " ", self._name_row(width)),
                Content.assemble(lower, " ", self._last_row(width)),
            ]
        )

    def _name_row(self, width: int) -> Content:
        chat = self.chat
        time = list_time(chat.last.sent_at, self._now()) if chat.last else ""
        name = Content(chat.persona.name).truncate(width - len(time) - 1, ellipsis=True)
        gap = width - name.cell_length - len(time)
        style = f"bold {persona_style(chat.persona)}" if chat.unread else "bold"
        return Content.assemble(name.stylize(style), " " * gap, (time, "$primary" if chat.unread else "dim"))

    def _last_row(self, width: int) -> Content:
        mark = Content.styled(" ●", "$primary") if self.chat.unread else Content("")
        line = self._preview().truncate(width - mark.cell_length, ellipsis=True)
        return Content.assemble(line, " " * (width - mark.cell_length - line.cell_length), mark)

    def _preview(self) -> Content:
        chat = self.chat
        if chat.reply:
            return Content.styled("typing…", f"italic {persona_style(chat.persona)}")
        if chat.draft.strip() and not self.open:
            return Content.assemble(("Draft: ", "$warning"), (last_line(chat.draft), "dim"))
        if chat.last is None:
            return Content.styled(chat.persona.about or "no messages yet", "dim italic")
        said = last_line(chat.last.text)
        return Content.styled(f"You: {said}" if chat.last.role == "user" else said, "dim")


class Contacts(Vertical):
    """The whole left side."""

    class Chosen(Message):
        """The user picked a persona to talk to."""

        def __init__(self, chat: Chat) -> None:
            """Say which chat was picked."""
            super().__init__()
            self.chat = chat

    def __init__(self, now: Callable[[], float]) -> None:
        """Make an empty list; times in it are as seen at `now`."""
        super().__init__(id="contacts")
        self._now = now

    def compose(self) -> ComposeResult:
        """Put the heading above the list."""
        yield Static(Content.styled("greenroom", "bold $primary"), id="contacts-title")
        yield ListView(id="contacts-list")

    @property
    def list_view(self) -> ListView:
        """The list itself, which takes the focus."""
        return self.query_one(ListView)

    @property
    def items(self) -> list[Contact]:
        """The entries, from the top."""
        return [item for item in self.list_view.children if isinstance(item, Contact)]

    async def show(self, chats: Sequence[Chat]) -> None:
        """Replace the list by `chats`, in that order."""
        await self.list_view.clear()
        await self.list_view.extend([Contact(chat, self._now) for chat in chats])

    def mark_open(self, chat: Chat) -> None:
        """Mark which chat is on the right, and move the highlight to it."""
        for index, item in enumerate(self.items):
            item.show_open(item.chat is chat)
            if item.chat is chat:
                self.list_view.index = index

    def redraw(self, chat: Chat | None = None) -> None:
        """Draw the entry of `chat` again, or all of them."""
        for item in self.items:
            if chat is None or item.chat is chat:
                item.refresh()

    def on_list_view_selected(self, event: ListView.Selected) -> None:
        """Turn a click or Enter into a choice."""
        event.stop()
        if isinstance(event.item, Contact):
            self.post_message(self.Chosen(event.item.chat))
