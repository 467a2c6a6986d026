"""The two rows above a conversation: who it is, and what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from tui.widgets.avatar import avatar, persona_style
from tui.widgets.line import Line

if TYPE_CHECKING:
    from tui.chat import Chat


class Title(Line):
    """Avatar and name over base model and speed."""

    def __init__(self) -> None:
        """Start empty, until a chat is open."""
        super().__init__(id="title")

    def show_chat(self, chat: Chat) -> None:
        """Draw the title of `chat`."""
        upper, lower = avatar(chat.persona)
        name = Content.styled(chat.persona.name, f"bold {persona_style(chat.persona)}")
        self.show(
            Content("\n").join([Content.assemble(upper, " ", name), Content.assemble(lower, " ", self._info(chat))])
        )

    def _info(self, chat: Chat) -> Content:
        facts = [chat.persona.id] if chat.persona.id != chat.persona.name else []
        if chat.persona.base:
            facts.append(chat.persona.base)
        if chat.speed:
            speed, counted = chat.speed
            facts.append(f"{'' if counted else '≈ '}{speed:.0f} tokens/s")
        if chat.as_name:
            facts.append(f"you are {chat.as_name}")
        return Content.styled(" · ".join(facts), "dim")
