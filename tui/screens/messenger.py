"""The messenger: contacts on the left, one conversation on the right, the composer below it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static, TextArea

from tui.chat import Chat, Notice
from tui.commands import MessengerCommands
from tui.errors import HistoryError
from tui.text import clean
from tui.widgets.composer import Composer
from tui.widgets.contacts import Contacts
from tui.widgets.conversation import Conversation
from tui.widgets.title import Title

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.contract import Persona
    from tui.endpoint import Endpoint
    from tui.history import History

WIDE = 80
"""Columns from which the list and a conversation fit side by side."""

OTHER_CLIENTS_SECONDS = 2.0
DRAFT_SECONDS = 1.0


class MessengerScreen(Screen[None]):
    """Holds the chats and runs their replies."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (26, "-tall")]  # noqa: RUF012
    COMMANDS = {MessengerCommands}  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012 - Textual declares it so
        Binding("escape", "stop", "Stop", show=False),
        Binding("ctrl+r", "again", "Again", priority=True),
        Binding("ctrl+n", "start_over", "New", priority=True),
        Binding("ctrl+y", "copy_reply", "Copy", priority=True),
        Binding("ctrl+b", "toggle_list", "List", priority=True),
        Binding("f1", "help", "Help", priority=True),
        Binding("question_mark", "help", "Help", show=False),
        Binding("f5", "app.reconnect", "Reload", show=False),
        Binding("alt+up", "step(-1)", "Previous chat", show=False),
        Binding("alt+down", "step(1)", "Next chat", show=False),
        Binding("pageup", "page(-1)", "Scroll up", show=False, priority=True),
        Binding("pagedown", "page(1)", "Scroll down", show=False, priority=True),
    ]

    def __init__(self, history: History, as_name: str, now: Callable[[], float] = time.time) -> None:
        """Keep chats in `history`; the user goes by `as_name`, or each persona's interlocutor if empty."""
        super().__init__()
        self.history = history
        self.endpoint: Endpoint | None = None
        self.chats: list[Chat] = []
        self.chat: Chat | None = None
        self._as_name = as_name
        self._now = now
        self._views: dict[str, Conversation] = {}
        self._views_made = 0
        self._draft_timer: Timer | None = None

    # ---- what is on the screen

    def compose(self) -> ComposeResult:
        """Lay out the two sides."""
        with Horizontal():
            yield Contacts(self._now)
            with Vertical(id="main"):
                yield Title()
                with ContentSwitcher(id="conversations"):
                    yield Static("", id="nobody", markup=False)
                yield Composer()
                yield Static(self._keys(), id="keys", markup=False)

    def on_mount(self) -> None:
        """Wait for the personas."""
        self.query_one("#nobody", Static).update(Content.styled("connecting…", "dim"))
        self.composer.disabled = True
        self.set_interval(OTHER_CLIENTS_SECONDS, self._look_at_history)
        self.set_interval(30, self._tell_the_time)

    def _tell_the_time(self) -> None:
        """Draw again what says “Today”, which midnight changes."""
        self.contacts.redraw()
        if self.view:
            self.view.request_sync()

    @property
    def contacts(self) -> Contacts:
        """The list on the left."""
        return self.query_one(Contacts)

    @property
    def composer(self) -> Composer:
        """Where the user writes."""
        return self.query_one(Composer)

    @property
    def view(self) -> Conversation | None:
        """The conversation on the right."""
        return self._views.get(self.chat.persona.id) if self.chat else None

    @staticmethod
    def _keys() -> Content:
        keys = (("Esc", "stop"), ("Ctrl+R", "again"), ("Ctrl+P", "menu"), ("F1", "help"))
        parts = [Content.assemble((key, "$primary"), (f" {what}", "dim")) for key, what in keys]
        return Content("  ").join(parts)

    # ---- personas and chats

    async def show_personas(self, personas: Sequence[Persona], wanted: Persona | None) -> None:
        """Fill the list and open a chat: `wanted`, the open one, the last one talked to, or the first."""
        known = {chat.persona.id: chat for chat in self.chats}
        self.chats = []
        for persona in personas:
            chat = known.get(persona.id) or Chat(persona, self.history, self._as_name, self.chat_changed)
            chat.persona = persona
            if persona.id not in known:
                self._guarded(chat.load)
            self.chats.append(chat)
        for gone in [chat for chat in known.values() if chat not in self.chats]:
            gone.stop()
            view = self._views.pop(gone.persona.id, None)
            if view:
                view.remove()
        # Sorting is stable: personas never talked to stay in the endpoint's order, below the others.
        self.chats.sort(key=lambda chat: -chat.last.sent_at if chat.last else 0.0)
        await self.contacts.show(self.chats)
        ids = {chat.persona.id: chat for chat in self.chats}
        open_now = ids.get(self.chat.persona.id) if self.chat else None
        await self.open_chat(ids[wanted.id] if wanted else open_now or self.chats[0])

    async def open_chat(self, chat: Chat) -> None:
        """Show `chat` on the right and give the composer to it."""
        if self.chat is not chat:
            # The composer goes first, and without a pause: what is typed from here on is for `chat`.
            self._keep_draft()
            self.chat = chat
            self.composer.start(chat)
        self.composer.disabled = False
        self.composer.focus()
        self.remove_class("-list-over")
        self.query_one(Title).show_chat(chat)
        self.contacts.mark_open(chat)
        self._guarded(chat.mark_read)
        view = await self._view_of(chat)
        if self.chat is chat:  # the user may have gone on to another chat meanwhile
            self.query_one("#conversations", ContentSwitcher).current = view.id

    async def _view_of(self, chat: Chat) -> Conversation:
        """Return the conversation widget of `chat`, made when it is first wanted."""
        view = self._views.get(chat.persona.id)
        if view is None:
            self._views_made += 1
            view = Conversation(chat, self._now)
            view.id = f"conversation-{self._views_made}"  # ids of personas are not fit for the DOM
            self._views[chat.persona.id] = view
            await self.query_one("#conversations", ContentSwitcher).add_content(view, id=view.id)
        return view

    def chat_changed(self, chat: Chat) -> None:
        """Draw what changed in `chat`, open or not, and go on where there is more to answer."""
        if not self.is_attached:
            return
        view = self._views.get(chat.persona.id)
        if view:
            view.request_sync()
        if chat.reply and chat.reply.message and chat.reply.message.state == "streaming":
            return  # the next words; around the conversation there is nothing new
        self.contacts.redraw(chat)
        if chat is self.chat:
            self.query_one(Title).show_chat(chat)
            if chat.unread:
                self._guarded(chat.mark_read)
        if chat.reply is None and chat.answer_again:
            chat.answer_again = False
            self._answer(chat)

    # ---- talking

    @on(Composer.Sent)
    def send(self, event: Composer.Sent) -> None:
        """Store what the user wrote, then have it answered."""
        chat = event.chat
        text = clean(event.text).strip("\n")
        if not text.strip():
            return
        try:
            chat.say(text)
        except HistoryError as error:
            if chat is self.chat:
                self.composer.put(event.text)
            self._tell(error)
            return
        if chat is not self.chat or not self.composer.text:
            self._guarded(lambda: chat.keep_draft(""))
        if chat.persona.id in self._views:
            self._views[chat.persona.id].anchor()
        if chat.reply is not None and chat.reply.message is not None:
            chat.answer_again = True  # it is speaking: let it finish, then answer this as well
            return
        if chat.reply is not None:
            chat.reply.finish("stopped")  # it has not begun: begin again with both messages
        self._answer(chat)

    def _answer(self, chat: Chat, *, replace: bool = False) -> bool:
        """Start a reply in `chat`; returns whether there was anything to reply to."""
        if self.endpoint is None:
            chat.notice = Notice("not connected to the endpoint yet")
            self.chat_changed(chat)
            return True
        reply = chat.begin_reply(self.endpoint, replace=replace)
        if reply is not None:
            self.app.run_worker(reply.run(), name=f"reply of {chat.persona.id}", group="replies")
        return reply is not None

    @on(TextArea.Changed, "#composer")
    def draft_changed(self) -> None:
        """Remember the draft when the user pauses."""
        if self._draft_timer:
            self._draft_timer.stop()
        self._draft_timer = self.set_timer(DRAFT_SECONDS, self._keep_draft)

    def _keep_draft(self) -> None:
        chat = self.chat
        if chat is not None and not self.composer.disabled:
            self._guarded(lambda: chat.keep_draft(self.composer.text))

    @on(Contacts.Chosen)
    async def chosen(self, event: Contacts.Chosen) -> None:
        """Open the chat picked in the list."""
        await self.open_chat(event.chat)

    # ---- actions

    def action_stop(self) -> None:
        """Stop the reply of the open chat; with none, go back to the composer."""
        if self.chat and self.chat.stop():
            return
        self.remove_class("-list-over")
        self.clear_selection()
        self.composer.focus()

    def action_again(self) -> None:
        """Have the last message answered again."""
        if self.chat is None:
            return
        if self.chat.reply is not None:
            self.notify("still replying; Esc stops it", timeout=2, markup=False)
        elif not self._answer(self.chat, replace=True):
            self.notify("there is nothing to answer yet", timeout=2, markup=False)

    def action_start_over(self) -> None:
        """Begin a new conversation with the open persona."""
        chat = self.chat
        if chat is not None and self._guarded(chat.start_over):
            self.notify("a new conversation; the old one stays in the history", timeout=3, markup=False)

    def action_copy_reply(self) -> None:
        """Put the last reply on the clipboard."""
        reply = self.chat.last_reply if self.chat else None
        if reply is None:
            self.notify("there is no reply to copy yet", timeout=2, markup=False)
            return
        self.app.copy_to_clipboard(reply.text)
        self.notify("copied the last reply", timeout=2, markup=False)

    def action_toggle_list(self) -> None:
        """Show or hide the list; on a narrow screen it takes the place of the conversation."""
        name = "-list-over" if self.has_class("-narrow") else "-no-list"
        self.toggle_class(name)
        if self.has_class("-list-over"):
            self.contacts.list_view.focus()
        else:
            self.composer.focus()

    def action_help(self) -> None:
        """Show the keys."""
        from tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen())

    async def action_step(self, by: int) -> None:
        """Open the chat before or after this one."""
        if self.chat in self.chats:
            at = self.chats.index(self.chat) + by
            await self.open_chat(self.chats[at % len(self.chats)])

    def action_page(self, by: int) -> None:
        """Scroll the conversation by a page, wherever the focus is."""
        if self.view:
            (self.view.action_page_up if by < 0 else self.view.action_page_down)()

    # ---- the history

    def _look_at_history(self) -> None:
        """Show what another client has written, or that it left a reply unfinished."""

        def look() -> None:
            changed = bool(self.chats) and self.history.changed_elsewhere()
            for chat in self.chats:
                if changed or (chat.last and chat.last.state == "streaming"):
                    chat.refresh()

        self._guarded(look)

    def _guarded(self, change: Callable[[], None]) -> bool:
        """Do something that writes the history; a failure becomes a message. Returns whether it worked."""
        try:
            change()
        except HistoryError as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: HistoryError) -> None:
        hint = f"\n{error.hint}" if error.hint else ""
        self.notify(f"{error}{hint}", severity="error", timeout=8, markup=False)

    def settle(self) -> None:
        """Stop every reply and keep the draft, before the program ends."""
        self._keep_draft()
        for chat in self.chats:
            chat.stop()
