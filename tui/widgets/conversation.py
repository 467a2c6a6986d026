"""The conversation on the right: turns from top to bottom, and what is going on below the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content

from tui.when import day_label, local_day
from tui.widgets.avatar import persona_style
from tui.widgets.line import Line
from tui.widgets.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.chat import Chat
    from tui.history import Message

FRAME_SECONDS = 1 / 20
"""A fast reply brings hundreds of pieces a second; the eye needs no more than this many pictures."""


class Conversation(VerticalScroll, can_focus=False):
    """One chat's messages. It follows the newest one until the user scrolls up.

    It takes no focus: PageUp and PageDown reach it from anywhere, so Tab has only two stops.
    """

    def __init__(self, chat: Chat, now: Callable[[], float]) -> None:
        """Show `chat`; days are as seen at `now`."""
        super().__init__(classes="conversation")
        self.chat = chat
        self._now = now
        self._turns: list[Turn] = []
        self._typing = Line(classes="typing")
        self._notice = Line(classes="notice")
        self._greeting = Line(classes="greeting")
        self._due = False
        self._dots = 0

    def on_mount(self) -> None:
        """Draw the chat and stay at its end."""
        self.mount(self._greeting, self._typing, self._notice)
        self.set_interval(0.4, self._step_dots)
        self.sync()
        self.anchor()

    def request_sync(self) -> None:
        """Draw soon; calls within one frame become one drawing."""
        if not self._due and self.is_mounted:
            self._due = True
            self.set_timer(FRAME_SECONDS, self.sync)

    def sync(self) -> None:
        """Make the widgets match the chat: remove what is gone, add what is new, touch what changed."""
        self._due = False
        wanted = self.chat.messages
        kept = {id(message) for message in wanted}
        for turn in self._turns:
            if id(turn.message) not in kept:
                turn.remove()
        self._turns = [turn for turn in self._turns if id(turn.message) in kept]
        self._add_missing(wanted)
        self._place()
        self._draw_below()

    def _add_missing(self, wanted: list[Message]) -> None:
        """Mount turns for new messages; they come in runs, above the first turn or below the last."""
        known = {id(turn.message): turn for turn in self._turns}
        fresh = {id(message): Turn(message, self.chat.persona) for message in wanted if id(message) not in known}
        if not fresh:
            return
        ordered = [known.get(id(message)) or fresh[id(message)] for message in wanted]
        first_known = next((turn for turn in ordered if id(turn.message) in known), None)
        above = ordered[: ordered.index(first_known)] if first_known else []
        below = [turn for turn in ordered[len(above) :] if id(turn.message) in fresh]
        if above:
            height = self.virtual_size.height
            self.mount(*above, before=first_known)
            self.call_after_refresh(self._keep_place, height)
        if below:
            self.mount(*below, before=self._typing)
        self._turns = ordered

    def _keep_place(self, height: int) -> None:
        """After a page was added above, scroll so that the same lines stay under the eye."""
        self.scroll_to(y=self.scroll_y + self.virtual_size.height - height, animate=False, immediate=True)

    def _place(self) -> None:
        """Tell every turn its day line and whether its speaker begins there."""
        before: Message | None = None
        for turn in self._turns:
            message = turn.message
            new_day = before is None or local_day(before.sent_at) != local_day(message.sent_at)
            turn.place(
                day=day_label(message.sent_at, self._now()) if new_day else "",
                first=new_day or before is None or before.role != message.role,
                fading=message is self.chat.replacing,
            )
            before = message

    def _draw_below(self) -> None:
        """Draw the greeting of an empty chat, “typing…” and the notice."""
        chat = self.chat
        persona = chat.persona
        self._greeting.display = not chat.messages
        about = f"\n{persona.about}" if persona.about else ""
        self._greeting.show(
            Content.assemble((persona.name, f"bold {persona_style(persona)}"), (f"{about}\n\nSay something.", "dim"))
        )
        self._typing.display = chat.reply is not None
        self._draw_typing()
        self._notice.display = chat.notice is not None
        if chat.notice:
            hint = f"{chat.notice.hint}\n" if chat.notice.hint else ""
            self._notice.show(
                Content.assemble((f"{chat.notice.text}\n", "bold"), (hint, "dim"), ("Ctrl+R to try again", "$accent"))
            )

    def _draw_typing(self) -> None:
        dots = "".join("●" if number == self._dots else "·" for number in range(3))
        colour = persona_style(self.chat.persona)
        self._typing.show(Content.assemble((dots, colour), (" typing…", "dim italic")))

    def _step_dots(self) -> None:
        if self.chat.reply is not None and self.display:
            self._dots = (self._dots + 1) % 3
            self._draw_typing()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for older messages when the top comes into view."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < 1 and old_value > new_value and self.chat.more_above:
            self.call_later(self.chat.load_above)
