"""What the command palette offers beyond Textual's own commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from tui.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tui.screens.messenger import MessengerScreen


def _plain(text: str) -> str:
    """Return `text` as markup that shows it as it is; the palette reads help as markup whatever we do."""
    return clean_name(text, 80).replace("[", "\\[")


class MessengerCommands(Provider):
    """The messenger's actions, and a jump to each persona."""

    def _commands(self) -> Iterator[tuple[str, str, Callable[[], Awaitable[None] | None]]]:
        messenger = cast("MessengerScreen", self.screen)
        for chat in messenger.chats:
            persona = chat.persona
            yield (
                f"Chat with {persona.name}",
                persona.about or persona.id,
                partial(messenger.open_chat, chat),
            )
        yield "Try again", "another reply in place of the last (Ctrl+R)", messenger.action_again
        yield "New conversation", "the old one stays in the history (Ctrl+N)", messenger.action_start_over
        yield "Copy the last reply", "to the clipboard (Ctrl+Y)", messenger.action_copy_reply
        yield "Show or hide the list", "of personas (Ctrl+B)", messenger.action_toggle_list
        yield "Reload the personas", "ask the endpoint again (F5)", partial(self._run, "reconnect")

    async def _run(self, action: str) -> None:
        await self.app.run_action(action)

    async def search(self, query: str) -> Hits:
        """Yield the commands that `query` matches."""
        matcher = self.matcher(query)
        for title, help_text, command in self._commands():
            score = matcher.match(title)
            if score > 0:
                # Not matcher.highlight(title): it reads the title, and so the name in it, as markup.
                yield Hit(score, Content(title), command, text=title, help=_plain(help_text))

    async def discover(self) -> Hits:
        """Yield every command."""
        for title, help_text, command in self._commands():
            yield DiscoveryHit(Content(title), command, text=title, help=_plain(help_text))
